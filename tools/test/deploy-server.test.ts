import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { agreementTable, disagreements, tableFinding, type Agreement, type Judged } from '../src/deploy/agreement.ts';
import { findApiServer, kubernetesVersion } from '../src/deploy/apiserver-build.ts';
import { findEtcd, readWarnings } from '../src/deploy/apiserver.ts';
import { readCorpus, readGood } from '../src/deploy/corpus.ts';
import { rules } from '../src/deploy/rules.ts';
import { withPods } from '../src/deploy/server.ts';
import { Failure } from '../src/failure.ts';

// What is around the API server; the server itself is asked by `npm run deploy:check -- --server`, which .ci/run does.

const workspace = fileURLToPath(new URL('../..', import.meta.url));
const judged = (rule: string, file: string, agreement: Agreement): Judged => ({
  manifest: { rule, file: `bad/${rule}/${file}.yaml` },
  agreement,
  words: '',
});

test('Warnings are read from the header that a server sends them in', () => {
  const header = '299 - "policy.linkerd.io/v1beta1 Server is deprecated", 299 - "unknown field \\"spec.x\\", ignored"';
  const read = [readWarnings(header), readWarnings(undefined)];
  expect(read).toEqual([['policy.linkerd.io/v1beta1 Server is deprecated', 'unknown field "spec.x", ignored'], []]);
});

test('A machine without etcd or Go is asked for it in one sentence', async () => {
  const env = { PATH: '/nowhere', XDG_CACHE_HOME: '/nowhere' };
  const search = { env, workspace, say: () => undefined, interrupted: new AbortController().signal };
  expect(() => findEtcd(env)).toThrow(/apt-get install etcd-server on Debian/);
  await expect(findApiServer(search)).rejects.toThrow(/install Go 1\.24 or later/);
});

test('A build that is interrupted says so, and leaves nothing behind', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kassa-go-'));
  writeFileSync(join(folder, 'go'), '#!/bin/sh\n[ "$1" = version ] || exec /bin/sleep 600\n', { mode: 0o755 });
  const interruption = new AbortController();
  const say = () => void setImmediate(() => interruption.abort(new Failure('Interrupted.')));
  const env = { PATH: folder, XDG_CACHE_HOME: folder };
  await expect(findApiServer({ env, workspace, say, interrupted: interruption.signal })).rejects.toThrow('Interrupted.');
  expect(readdirSync(join(folder, 'kassa'))).toEqual([]);
  rmSync(folder, { recursive: true });
});

test('What is built is the version that it says', () => {
  const required = /k8s\.io\/kubernetes (v\S+)/.exec(readFileSync(`${workspace}/tools/kube-apiserver/go.mod`, 'utf8'))?.[1];
  expect(required).toBe(kubernetesVersion);
});

test('Each workload is followed by the pod its controller would make, and a kustomization is no object', () => {
  const source = { apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization', metadata: { name: '' } };
  const workloads = readGood(workspace).filter(({ kind }) => kind === 'Deployment' || kind === 'Job');
  const sent = withPods([source, ...workloads]).map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`);
  expect(sent).toEqual([
    'Deployment kassa-dk/sales',
    'Pod kassa-dk/sales-pod',
    'Job kassa-dk/sales-migrate',
    'Pod kassa-dk/sales-migrate-pod',
  ]);
});

test('The table says what the server does with each rule, what it catches first', () => {
  const table = agreementTable([
    judged('drain', 'no-pause', 'accepts'),
    judged('schema', 'port', 'refuses'),
    judged('name-affix', 'prefix', 'never sees'),
    judged('schema', 'limits', 'warns'),
  ]);
  expect(table.split('\n')).toEqual([
    '| Rule         | Manifests | The API server     |',
    '| ------------ | --------- | ------------------ |',
    '| `schema`     | 2         | refuses 1, warns 1 |',
    '| `drain`      | 1         | accepts            |',
    '| `name-affix` | 1         | never sees         |',
  ]);
});

test('A rule that speaks for the server and is stricter is found, and one of our own is not', () => {
  const found = disagreements([judged('unknown-field', 'typo', 'accepts'), judged('drain', 'no-pause', 'accepts')]);
  expect(found.map(({ file }) => file)).toEqual(['deploy/tests/bad/unknown-field/typo.yaml']);
});

test('A table that differs from the committed one is found', () => {
  const table = agreementTable([judged('drain', 'no-pause', 'refuses')]);
  expect(tableFinding(workspace, table).map(({ file }) => file)).toEqual(['deploy/tests/README.md']);
});

test('The committed table has each rule with as many manifests as the corpus', () => {
  const corpus = Map.groupBy(readCorpus(workspace), ({ rule }) => rule);
  const rows = rules.map(({ id }) => ({ id, count: corpus.get(id)?.length ?? 0 }));
  expect(rows.filter(({ id, count }) => !countsInTable().includes(`${id} ${count}`))).toEqual([]);
});

const countsInTable = () => {
  const lines = readFileSync(`${workspace}/deploy/tests/README.md`, 'utf8').split('\n');
  return lines.map((line) => line.replace(/^\| `([\w-]+)` +\| (\d+) .*$/, '$1 $2'));
};
