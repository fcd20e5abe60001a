import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';

/** What a source file imports and re-exports, types included, as it is written there. */
export function importsOf(file: string): string[] {
  const { importedFiles } = ts.preProcessFile(readFileSync(file, 'utf8'), true, true);
  return importedFiles.map(({ fileName }) => fileName);
}

/** A package's name out of an import such as `@kassa/contracts/sales` or `pg`; undefined for a file or a part of Node. */
export function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith('.') || specifier.startsWith('node:')) return undefined;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/**
 * All files of the same project that `entry` (relative to `project`) needs to be read with: itself, what it imports, what that
 * imports, types included. Libraries and generated code (gen/) are left out.
 */
export function importClosure(project: string, entry: string): string[] {
  const seen = new Set<string>();
  const visit = (file: string) => {
    const name = relative(project, file);
    if (seen.has(name) || name.split('/').includes('gen') || !existsSync(file)) return;
    seen.add(name);
    for (const specifier of importsOf(file)) if (specifier.startsWith('.')) visit(join(dirname(file), specifier));
  };
  visit(join(project, entry));
  return [...seen].sort();
}
