import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Failure, runCommand } from './failure.ts';

const help = `node tools/src/base-image.ts      assembles kassa/base:local out of this machine's C library, certificates and time zones

For Docker engines that reach no registry; elsewhere give npm run image a distroless base by digest. Needs Linux with glibc, and Docker.`;

const name = 'kassa/base:local';

/** Every shared library that Node asks for, by the loader's own account. */
function libraries(node: string): string[] {
  const said = execFileSync('ldd', [node], { encoding: 'utf8' });
  return [...said.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map((match) => match[1] ?? '');
}

function layOut(root: string): void {
  const node = join(import.meta.dirname, '../../node_modules/node/bin/node');
  // The resolver's parts are loaded by name while running, so ldd does not list them.
  const resolver = ['libnss_dns.so.2', 'libnss_files.so.2', 'libresolv.so.2'].map(
    (name) => `/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/${name}`,
  );
  for (const library of [...libraries(node), ...resolver].filter((path) => existsSync(path))) {
    mkdirSync(join(root, dirname(library)), { recursive: true });
    copyFileSync(realpathSync(library), join(root, library));
  }
  for (const folder of ['tmp', 'etc/ssl/certs', 'usr/share']) mkdirSync(join(root, folder), { recursive: true });
  copyIfThere('/etc/ssl/certs/ca-certificates.crt', root);
  copyIfThere('/usr/share/zoneinfo', root);
  writeFileSync(join(root, 'etc/passwd'), 'kassa:x:10001:10001::/tmp:/nonexistent\n');
  writeFileSync(join(root, 'etc/group'), 'kassa:x:10001:\n');
  writeFileSync(join(root, 'etc/nsswitch.conf'), 'hosts: files dns\n');
}

function copyIfThere(path: string, root: string): void {
  if (existsSync(path)) cpSync(path, join(root, path), { recursive: true, verbatimSymlinks: true });
}

/** Assembles kassa/base:local and returns its name. Throws Failure on anything but Linux, or without Docker. */
export function assembleBase(): string {
  if (process.platform !== 'linux') throw new Failure('A base from local parts can be assembled on Linux only.');
  const root = mkdtempSync(join(tmpdir(), 'kassa-base-'));
  try {
    layOut(root);
    const sorted = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0'];
    const tar = execFileSync('tar', [...sorted, '-C', root, '-cf', '-', '.'], { maxBuffer: 2 ** 30 });
    const { status, stderr } = spawnSync('docker', ['import', '-', name], { input: tar, encoding: 'utf8' });
    if (status !== 0) throw new Failure('Docker did not take the base.', stderr);
    return name;
  } finally {
    rmSync(root, { recursive: true });
  }
}

if (import.meta.main) {
  await runCommand(async () => {
    if (process.argv.includes('--help')) return console.log(help);
    console.log(`${assembleBase()} stands. npm run image -- sales --base ${name} builds on it.`);
  });
}
