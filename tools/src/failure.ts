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

/** Runs a command's main function; a Failure and a wrong option become a sentence on standard error, everything else keeps its stack. */
export async function runCommand(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    if (error instanceof Failure) console.error(`${error.message}${error.details ? `\n\n${indent(error.details)}` : ''}`);
    else if (isWrongOption(error)) console.error(`${error.message.split('. ')[0]}; --help tells all options.`);
    else console.error(error);
    process.exit(1);
  }
}

/** What util.parseArgs says of a command line. */
const isWrongOption = (error: unknown): error is Error =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_');

const indent = (text: string) => text.trimEnd().replace(/^/gm, '    ');
