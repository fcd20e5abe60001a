import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '@kassa/testing';
import { Failure } from '../failure.ts';
import { endProcess, markOf, type ProcessMark } from '../processes.ts';

/** One answer of the API server. `warnings` are what kubectl would print as such. */
export interface Answer {
  status: number;
  body: unknown;
  warnings: string[];
}

export interface ApiServer {
  call(method: 'GET' | 'POST' | 'PATCH', path: string, body?: unknown): Promise<Answer>;
  /** Ends both processes and removes all they wrote. */
  close(): Promise<void>;
}

/** Throws Failure where there is no etcd on the PATH. */
export function findEtcd(env: NodeJS.ProcessEnv): void {
  if (spawnSync('etcd', ['--version'], { env }).status === 0) return;
  throw new Failure(
    'An API server keeps its objects in etcd, which is not on the PATH: apt-get install etcd-server on Debian, brew install etcd on macOS.',
  );
}

/**
 * Starts etcd and kube-apiserver on free ports of this machine with nothing in them: no nodes, no controllers, no webhooks. What they
 * write is below the system's temporary folder. Throws Failure with their last words.
 */
export async function startApiServer(program: string, env: NodeJS.ProcessEnv, interrupted: AbortSignal): Promise<ApiServer> {
  const folder = mkdtempSync(join(tmpdir(), 'kassa-apiserver-'));
  const processes: Child[] = [];
  const close = async () => {
    // The server first: without its etcd it would wait and complain.
    for (const { mark } of processes.toReversed()) await endProcess(mark, 'SIGTERM', 10_000);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const [etcd, peers, port] = [await freePort(), await freePort(), await freePort()];
    processes.push(startChild('etcd', etcdFlags(folder, etcd, peers), env));
    const token = randomBytes(24).toString('hex');
    processes.push(startChild(program, apiServerFlags(folder, { etcd, port, token }), env));
    const call = await ready(folder, { port, token, processes, interrupted });
    return { call, close };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Child {
  name: string;
  mark: ProcessMark;
  child: ChildProcess;
  lastWords(): string;
}

function startChild(program: string, flags: string[], env: NodeJS.ProcessEnv): Child {
  const child = spawn(program, flags, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let words = '';
  const hear = (chunk: Buffer) => (words = (words + chunk.toString()).slice(-4_000));
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  child.on('error', (error) => (words += error.message));
  const name = program.split('/').at(-1) ?? program;
  return { name, mark: markOf(name, child.pid ?? 0), child, lastWords: () => words.trim().split('\n').slice(-6).join('\n') };
}

function etcdFlags(folder: string, port: number, peers: number): string[] {
  const [clients, others] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peers}`];
  return [
    `--data-dir=${join(folder, 'etcd')}`,
    `--listen-client-urls=${clients}`,
    `--advertise-client-urls=${clients}`,
    `--listen-peer-urls=${others}`,
    `--initial-advertise-peer-urls=${others}`,
    `--initial-cluster=default=${others}`,
  ];
}

function apiServerFlags(folder: string, { etcd, port, token }: { etcd: number; port: number; token: string }): string[] {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = join(folder, 'accounts.pem');
  const tokens = join(folder, 'tokens.csv');
  writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  writeFileSync(tokens, `${token},deploy-check,deploy-check,"system:masters"\n`, { mode: 0o600 });
  return [
    `--etcd-servers=http://127.0.0.1:${etcd}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    `--cert-dir=${join(folder, 'certificates')}`,
    '--service-account-issuer=https://kubernetes.invalid',
    `--service-account-key-file=${key}`,
    `--service-account-signing-key-file=${key}`,
    '--service-cluster-ip-range=10.96.0.0/16',
    `--token-auth-file=${tokens}`,
    '--authorization-mode=RBAC',
    // It would refuse every pod whose account is not there yet; accounts are judged by reference-exists.
    '--disable-admission-plugins=ServiceAccount',
    '--endpoint-reconciler-type=none',
  ];
}

interface Place {
  port: number;
  token: string;
  processes: Child[];
  interrupted: AbortSignal;
}

/** Waits until the server says it is ready; it signs its own certificate, which is the only one trusted. */
async function ready(folder: string, { port, token, processes, interrupted }: Place): Promise<ApiServer['call']> {
  const deadline = performance.now() + 120_000;
  while (performance.now() < deadline) {
    interrupted.throwIfAborted();
    const dead = processes.find(({ child }) => child.pid === undefined || child.exitCode !== null);
    if (dead) throw new Failure(`${dead.name} did not start; its last words:`, dead.lastWords());
    try {
      const ca = readFileSync(join(folder, 'certificates/apiserver.crt'), 'utf8');
      const call = caller({ port, token, agent: new Agent({ ca, keepAlive: true, maxSockets: 4 }) });
      if ((await call('GET', '/readyz')).status === 200) return call;
    } catch {
      // No certificate yet, or nobody listens.
    }
    await sleep(200);
  }
  throw new Failure('The API server was not ready within two minutes; its last words:', processes.at(-1)?.lastWords());
}

const caller =
  ({ port, token, agent }: { port: number; token: string; agent: Agent }): ApiServer['call'] =>
  (method, path, body) =>
    new Promise((done, fail) => {
      const headers = {
        authorization: `Bearer ${token}`,
        accept: 'application/json',
        // JSON is YAML, and server-side apply is known by this name.
        'content-type': method === 'PATCH' ? 'application/apply-patch+yaml' : 'application/json',
      };
      const sent = request({ host: '127.0.0.1', port, path, method, headers, agent, timeout: 60_000 }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', fail);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const isJson = response.headers['content-type']?.startsWith('application/json');
          done({
            status: response.statusCode ?? 0,
            body: isJson ? (JSON.parse(text) as unknown) : text,
            warnings: readWarnings(response.headers['warning']),
          });
        });
      });
      sent.on('timeout', () => sent.destroy(new Error(`${method} ${path} was not answered within a minute`)));
      sent.on('error', fail);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });

/** Reads `299 - "text", 299 - "text"` (RFC 7234, 5.5). */
export function readWarnings(header: string | undefined): string[] {
  return [...(header ?? '').matchAll(/\d{3} \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, words]) =>
    (words ?? '').replaceAll(/\\(.)/g, '$1'),
  );
}
