/** Something a person can act on: the message is one whole sentence, shown without a stack, and the command ends with code 1. */
export class Failure extends Error {
  /** Lines shown below the sentence, such as a service's last words. */
  readonly details: string;
  constructor(sentence: string, details = '') {
    super(sentence);
    this.name = 'Failure';
    this.details = details;
  }
}

/** Runs a command's main function; a Failure becomes its sentence on standard error, everything else keeps its stack. */
export async function runCommand(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    if (error instanceof Failure) console.error(`${error.message}${error.details ? `\n\n${indent(error.details)}` : ''}`);
    else console.error(error);
    process.exit(1);
  }
}

const indent = (text: string) => text.trimEnd().replace(/^/gm, '    ');
