import { SingleBar } from 'cli-progress';
import colors from 'picocolors';

/** Lines about what is being done, on standard error, so that standard output stays for results. */
export const say = (sentence: string): void => console.error(`${colors.dim('·')} ${sentence}`);

export interface ByteBar {
  /** Shows how much of a file was sent; a new name begins a new bar. */
  show(file: string, bytesSent: number, bytes: number): void;
  end(): void;
}

/** A bar on a terminal, nothing in a log. */
export function byteBar(): ByteBar {
  if (!process.stderr.isTTY) return { show: () => undefined, end: () => undefined };
  let bar: SingleBar | undefined;
  let shown = '';
  const end = () => {
    bar?.stop();
    bar = undefined;
  };
  return {
    end,
    show(file, bytesSent, bytes) {
      if (!bar || shown !== file) {
        end();
        bar = new SingleBar({
          format: '  {bar} {percentage}% {file}',
          hideCursor: true,
          stream: process.stderr,
          clearOnComplete: true,
          barsize: 30,
        });
        bar.start(bytes, 0, { file });
        shown = file;
      }
      bar.update(bytesSent);
      if (bytesSent >= bytes) end();
    },
  };
}
