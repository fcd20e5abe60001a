// Starts Prisma with the database address from the mounted file, for the image's target `migrate`.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const here = import.meta.dirname;

const file = process.env['DATABASE_URL_FILE'];
const url = process.env['DATABASE_URL'] ?? (file && readFileSync(file, 'utf8').trim());
if (!url) {
  console.error('DATABASE_URL_FILE names no file with the address of the database.');
  process.exit(1);
}
const { status } = spawnSync(process.execPath, [join(here, 'node_modules/prisma/build/index.js'), 'migrate', 'deploy'], {
  cwd: join(here, 'apps/room'),
  stdio: 'inherit',
  env: { ...process.env, DATABASE_URL: url },
});
process.exit(status ?? 1);
