import colors from 'picocolors';
import { Failure } from './failure.ts';

/** A heading between two parts of the day. */
export function chapter(title: string): void {
  console.log(`\n${colors.bold(colors.cyan(`━━ ${title} ${'━'.repeat(Math.max(0, 92 - title.length))}`))}\n`);
}

/** Something a person does. */
export const act = (sentence: string): void => console.log(`${colors.cyan('▸')} ${sentence}`);

/** Something that came of it. */
export const outcome = (sentence: string): void => console.log(`  ${colors.green('✓')} ${sentence}`);

/** Ends the demo with code 1 unless what came out is what should. */
export function must(isSo: boolean, expectation: string): void {
  if (!isSo) throw new Failure(`This is not as it should be: ${expectation}.`);
}

/** Rows in aligned columns; columns whose name ends in a blank are numbers and stand to the right. */
export function table(heading: string[], rows: string[][]): void {
  const widths = heading.map((title, column) => Math.max(title.trim().length, ...rows.map((row) => (row[column] ?? '').length)));
  const line = (row: string[]) =>
    row
      .map((cell, n) => (heading[n]?.endsWith(' ') ? cell.trim().padStart(widths[n] ?? 0) : cell.padEnd(widths[n] ?? 0)))
      .join('   ')
      .trimEnd();
  console.log(`\n    ${colors.dim(line(heading))}`);
  for (const row of rows) console.log(`    ${line(row)}`);
  console.log();
}

const paperWidth = 42;

/** Receipts as they come out of the printer, side by side where the terminal is wide enough. */
export function receipts(texts: string[]): void {
  const perRow = Math.max(1, Math.floor(((process.stdout.columns ?? 100) - 4) / (paperWidth + 6)));
  for (let first = 0; first < texts.length; first += perRow) {
    const papers = texts.slice(first, first + perRow).map((text) => text.trimEnd().split('\n'));
    const height = Math.max(...papers.map((paper) => paper.length));
    const row = (cells: string[]) => console.log(`    ${cells.join('  ')}`);
    console.log();
    row(papers.map(() => colors.dim(`┌${'─'.repeat(paperWidth + 2)}┐`)));
    for (let n = 0; n < height; n++) {
      row(papers.map((paper) => `${colors.dim('│')} ${(paper[n] ?? '').padEnd(paperWidth)} ${colors.dim('│')}`));
    }
    row(papers.map(() => colors.dim(`└${'─'.repeat(paperWidth + 2)}┘`)));
  }
  console.log();
}
