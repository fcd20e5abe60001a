import pc from 'picocolors';
import { Failure } from '../failure.ts';
import { say } from '../progress.ts';
import { agreementTable, disagreements, judgeCorpus, tableFinding, type Agreement, type Judged } from './agreement.ts';
import { findApiServer, kubernetesVersion } from './apiserver-build.ts';
import { findEtcd, startApiServer, type ApiServer } from './apiserver.ts';
import { readCorpus, readGood } from './corpus.ts';
import type { Crds } from './crds.ts';
import { findKustomize, howToGetKustomize } from './kustomize.ts';
import type { Finding, Scene } from './rule.ts';
import { installCrds, judgeScenes, openJudge } from './server.ts';

export interface ServerCheck {
  workspace: string;
  env: NodeJS.ProcessEnv;
  scenes: Scene[];
  crds: Crds | undefined;
  isVerbose: boolean;
}

export interface ServerSays {
  findings: (Finding & { seenIn: string[] })[];
  /** What was asked and what came out, for people. */
  lines: string[];
}

/**
 * Asks a real API server about every object that was rendered and about every bad manifest. Throws Failure with what this machine lacks;
 * in every case, an interruption too, the processes it started are ended and what they wrote is removed.
 */
export function checkOnServer(check: ServerCheck): Promise<ServerSays> {
  const { workspace, crds, isVerbose } = check;
  if (!findKustomize(workspace))
    throw new Failure(`There is nothing to ask a server about without a render. ${howToGetKustomize}`);
  if (!crds)
    throw new Failure(
      'An API server needs the definitions of Linkerd and the other operators: set KASSA_CRDS to a folder of them.',
    );
  return withApiServer(check, async (server) => {
    const definitions = await installCrds(server, crds.folder);
    const good = readGood(workspace);
    const judge = await openJudge(server, [...good, ...check.scenes.flatMap(({ judged }) => judged.map(({ object }) => object))]);
    say(`Asking it, with ${definitions} definitions of custom kinds …`);
    const rendered = await judgeScenes(judge, [...check.scenes, goodScene(check.scenes, good)]);
    const corpus = await judgeCorpus(judge, readCorpus(workspace));
    const table = agreementTable(corpus);
    const others = [...disagreements(corpus), ...tableFinding(workspace, table)].map((finding) => ({ ...finding, seenIn: [] }));
    const refused = rendered.findings.length;
    return {
      findings: [...rendered.findings, ...others],
      lines: [
        ...(isVerbose ? corpus.map(said) : []),
        table,
        '',
        `${refused === 0 ? pc.green('✓') : pc.red('✗')} kube-apiserver ${kubernetesVersion}: ${rendered.objects} different objects, ` +
          `${rendered.pods} of them pods of workloads, strictly and with warnings as errors: ${refused === 0 ? 'all accepted' : `${refused} not accepted`}`,
        `  of ${corpus.length} bad manifests ${counted(corpus)}`,
      ],
    };
  });
}

const goodScene = ([first]: Scene[], good: Scene['around']): Scene => {
  if (!first) throw new Error('nothing was rendered');
  return { ...first, title: 'good.yaml', judged: good.map((object) => ({ file: 'deploy/tests/good.yaml', object })), around: [] };
};

const said = ({ manifest, agreement, words }: Judged) => `${manifest.file} ${pc.bold(agreement)} ${pc.dim(words)}`;

function counted(corpus: Judged[]): string {
  const count = (wanted: Agreement) => corpus.filter(({ agreement }) => agreement === wanted).length;
  return (
    `it refuses ${count('refuses')}, warns of ${count('warns')}, takes ${count('accepts')} as good ` +
    `and never sees ${count('never sees')}: only our rules find those`
  );
}

async function withApiServer<T>({ workspace, env }: ServerCheck, work: (server: ApiServer) => Promise<T>): Promise<T> {
  const interruption = new AbortController();
  const { signal: interrupted } = interruption;
  const interrupt = () => interruption.abort(new Failure('Interrupted; what was started is ended.'));
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, interrupt);
  try {
    findEtcd(env);
    const program = await findApiServer({ env, workspace, say, interrupted });
    say(`Starting etcd and kube-apiserver ${kubernetesVersion} …`);
    const server = await startApiServer(program, env, interrupted);
    try {
      const stopped = new Promise<never>((_, fail) =>
        interrupted.addEventListener('abort', () => fail(interrupted.reason as Failure)),
      );
      return await Promise.race([work(server), stopped]);
    } finally {
      await server.close();
    }
  } finally {
    for (const signal of signals) process.off(signal, interrupt);
  }
}
