import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually, freePort } from '@kassa/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { docker, hasDocker } from '../src/image/docker.ts';
import { checked, parseRelease, releaseNames } from '../src/rollout/release.ts';

// The images are small files with the labels of real ones; engine and registry are real.

const workspace = fileURLToPath(new URL('../..', import.meta.url));
const registryModule = 'github.com/google/go-containerregistry/cmd/registry@v0.20.3';
const program = join(workspace, '.cache/registry/registry');

/** Why this machine has no registry, or undefined once it has one. */
function lacking(): string | undefined {
  if (!hasDocker()) return 'there is no Docker engine';
  if (existsSync(program)) return undefined;
  mkdirSync(join(workspace, '.cache/registry'), { recursive: true });
  const env = { ...process.env, GOBIN: join(workspace, '.cache/registry') };
  const { status, error } = spawnSync('go', ['install', registryModule], { env, stdio: 'ignore', timeout: 240_000 });
  if (error || status !== 0) return 'there is no Go that could build a registry';
  return undefined;
}

const reason = lacking();
if (reason !== undefined) console.log(`skipped: nothing is pushed, since ${reason}`);

describe.skipIf(reason !== undefined)('Pushing to a registry', () => {
  const commit = '0123456789abcdef0123456789abcdef01234567';
  const tag = `push-test-${process.pid}`;
  const folder = mkdtempSync(join(tmpdir(), 'kassa-push-'));
  let registry: ChildProcess;
  let address = '';

  beforeAll(async () => {
    const port = await freePort();
    address = `localhost:${port}`;
    registry = spawn(program, ['-port', String(port)], { stdio: 'ignore' });
    await eventually(async () => expect((await fetch(`http://${address}/v2/`)).status).toBe(200));
    for (const name of releaseNames) make(name, commit);
  });
  afterAll(() => {
    registry.kill();
    const names = docker(['images', '--format', '{{.Repository}}:{{.Tag}}']).split('\n');
    const own = names.filter((name) => name.endsWith(`:${tag}`) || name.startsWith(`${address}/`));
    if (own.length > 0) docker(['rmi', ...own]);
    rmSync(folder, { recursive: true });
  });

  /** An image of one file, other for each name, with the label of its commit. */
  function make(name: string, of: string) {
    writeFileSync(join(folder, 'name'), `${name} ${process.pid}`);
    execFileSync('tar', ['-cf', 'image.tar', 'name'], { cwd: folder });
    const label = `LABEL org.opencontainers.image.revision=${of}`;
    docker(['import', '--change', label, join(folder, 'image.tar'), `kassa/${name}:${tag}`]);
  }

  const push = () =>
    spawnSync('node', [join(workspace, 'tools/src/image-push.ts'), address, '--tag', tag, '--to', 'release.yaml'], {
      cwd: folder,
      encoding: 'utf8',
    });

  test('What is written can be promoted, and its digests are what the registry has', async () => {
    const { status, stdout } = push();
    expect({ status, isNextSaid: stdout.includes('promote dk-pilot --release release.yaml') }).toEqual({
      status: 0,
      isNextSaid: true,
    });
    const release = checked('release.yaml', parseRelease(readFileSync(join(folder, 'release.yaml'), 'utf8')));
    expect(release.commit).toBe(commit);
    const digests = await Promise.all(
      releaseNames.map(async (name) => {
        const answer = await fetch(`http://${address}/v2/kassa/${name}/manifests/${commit.slice(0, 8)}`, { method: 'HEAD' });
        return [name, `${address}/kassa/${name}@${answer.headers.get('docker-content-digest')}`];
      }),
    );
    expect(release.images).toEqual(Object.fromEntries(digests));
    expect(new Set(Object.values(release.images)).size).toBe(releaseNames.length);
  });

  test.each([
    ['of another commit', 'f'.repeat(40), 'more than one commit'],
    ['of a changed checkout', `${commit}-changed`, 'more than one commit'],
  ])('An image %s is refused before anything is pushed', (_, other, sentence) => {
    rmSync(join(folder, 'release.yaml'), { force: true });
    make('payments', other);
    const { status, stdout, stderr } = push();
    expect({ status, written: existsSync(join(folder, 'release.yaml')) }).toEqual({ status: 1, written: false });
    expect(stderr).toContain(sentence);
    expect(stdout + stderr).not.toContain('Pushing');
  });

  test('Images that were all built from a changed checkout are refused', () => {
    for (const name of releaseNames) make(name, `${commit}-changed`);
    const { status, stderr } = push();
    expect({ status, says: stderr.includes('commit, then build them anew') }).toEqual({ status: 1, says: true });
  });
});
