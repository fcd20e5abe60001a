import { spawn, spawnSync } from 'node:child_process';
import { Failure } from '../failure.ts';

/** What Docker tells of an image, as far as it is looked at. */
export interface ImageFacts {
  Id: string;
  Config: {
    User: string;
    Env: string[] | null;
    Entrypoint: string[] | null;
    WorkingDir: string;
    ExposedPorts?: Record<string, object>;
    Labels: Record<string, string> | null;
  };
  RootFS: { Layers: string[] };
}

/** Runs docker and returns what it said, without the last line's end. Throws Failure with `sentence` and what it said instead. */
export function docker(args: string[], sentence = `docker ${args[0]} failed.`, input?: string): string {
  const { status, stdout, stderr, error } = spawnSync('docker', args, { encoding: 'utf8', maxBuffer: 2 ** 28, input });
  if (error) throw new Failure('There is no docker on the PATH.');
  if (status !== 0) throw new Failure(sentence, stderr || stdout);
  return stdout.trimEnd();
}

export function inspectImage(name: string): ImageFacts {
  const [facts] = JSON.parse(docker(['image', 'inspect', name], `There is no image ${name} in the Docker engine.`)) as [
    ImageFacts,
  ];
  return facts;
}

/** True where a Docker engine answers. */
export const hasDocker = (): boolean => spawnSync('docker', ['version'], { stdio: 'ignore' }).status === 0;

/** Two commands with a pipe between them, for archives too large to hold; returns what the second says. Throws Failure naming the one that failed. */
export async function pipe(from: [string, ...string[]], to: [string, ...string[]]): Promise<string> {
  const source = spawn(from[0], from.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  const sink = spawn(to[0], to.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
  const said: Buffer[] = [];
  sink.stdout.on('data', (chunk: Buffer) => said.push(chunk));
  source.stdout.pipe(sink.stdin);
  const ended = [source, sink].map(
    (child) =>
      new Promise<number>((resolve) => {
        child.once('error', () => resolve(127));
        child.once('close', (code) => resolve(code ?? 1));
      }),
  );
  const [first, second] = await Promise.all(ended);
  if (first !== 0) throw new Failure(`${from.slice(0, 3).join(' ')} failed.`);
  if (second !== 0) throw new Failure(`${to.slice(0, 3).join(' ')} failed.`);
  return Buffer.concat(said).toString();
}
