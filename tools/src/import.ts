import { statSync } from 'node:fs';
import { basename, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import colors from 'picocolors';
import { Failure, runCommand } from './failure.ts';
import { importFile, importKinds, importOrder, kindOf, refusalsOf } from './import-client.ts';
import { byteBar } from './progress.ts';
import { readSystem } from './system.ts';
import { fetchToken } from './token.ts';

const help = `npm run import -- products.csv prices.csv … [--charset windows-1252]

  Sends CSV files to the running system; the header row tells what a file is: ${importOrder.join(', ')}.
  Safe to repeat: rows that change nothing are counted as unchanged. Ends with code 1 if any row was refused.
  Text is UTF-8, or UTF-16 with a byte order mark; name another encoding with --charset.`;

/** Imports each file in an order in which no row names something that comes later, and reports every refused row. */
async function main(): Promise<void> {
  const { values, positionals } = readArguments();
  if (values.help || positionals.length === 0) return console.log(help);
  // npm runs scripts in the workspace's root, and tells where it was called.
  const files = positionals.map((file) => resolve(process.env['INIT_CWD'] ?? '.', file));
  const missing = files.find((file) => !statSync(file, { throwIfNoEntry: false })?.isFile());
  if (missing !== undefined) throw new Failure(`There is no file ${missing}.`);
  const inputs = files.map((file) => ({ file, kind: kindOf(file) }));
  inputs.sort((one, other) => importOrder.indexOf(one.kind) - importOrder.indexOf(other.kind));

  const system = readSystem(process.env);
  const token = await fetchToken(system, { roles: ['operator'], subject: 'npm-run-import' });
  const contentType = values.charset === undefined ? 'text/csv' : `text/csv; charset=${values.charset}`;
  const bar = byteBar();
  let refusedInAll = 0;
  for (const { file, kind } of inputs) {
    const bytes = statSync(file).size;
    const started = performance.now();
    const show = (sent: number) => bar.show(basename(file), sent, bytes);
    const report = await importFile(system, token, { kind, file, contentType }, show).finally(() => bar.end());
    refusedInAll += report.refused;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    const mark = report.refused > 0 ? colors.red('✗') : colors.green('✓');
    const counts = `${count(report.rows)} rows: ${count(report.accepted)} accepted, ${count(report.unchanged)} unchanged, ${count(report.refused)} refused`;
    console.log(`${mark} ${relative('.', file)} → ${importKinds[kind].service}, ${kind}: ${counts} (${seconds} s)`);
    if (report.refused === 0) continue;
    for await (const { row, column, code, detail } of refusalsOf(system, token, kind, report.importId)) {
      console.log(`  row ${row}${column ? `, ${column}` : ''}: ${detail} (${code})`);
    }
  }
  if (refusedInAll > 0) process.exitCode = 1;
}

function readArguments() {
  try {
    return parseArgs({
      options: { charset: { type: 'string' }, help: { type: 'boolean' } },
      allowPositionals: true,
      strict: true,
    });
  } catch (error) {
    throw new Failure(`${(error as Error).message}\n\n${help}`);
  }
}

const count = (value: number) => value.toLocaleString('en');

await runCommand(main);
