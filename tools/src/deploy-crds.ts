import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { Failure, runCommand } from './failure.ts';

const help = `npm run deploy:crds        copies the custom resource definitions of the cluster kubectl is connected to into .cache/crds

  deploy:check reads them there when KASSA_CRDS names no other folder. They belong to other projects, so they are not committed.
  --help`;

/** The groups whose kinds stand in deploy/. */
const groups = [
  'linkerd.io',
  'gateway.networking.k8s.io',
  'postgresql.cnpg.io',
  'external-secrets.io',
  'monitoring.coreos.com',
  'cert-manager.io',
  'toolkit.fluxcd.io',
];

interface Definition {
  metadata: { name: string };
  spec: { group: string };
}

function definitions(): Definition[] {
  try {
    const output = execFileSync('kubectl', ['get', 'customresourcedefinitions', '--output', 'json'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 256 * 2 ** 20,
    });
    return (JSON.parse(output) as { items: Definition[] }).items;
  } catch (error) {
    const words = (error as { stderr?: string }).stderr ?? (error as Error).message;
    throw new Failure(
      'kubectl cannot read the definitions of a cluster; connect it to one that has Kassa’s operators.',
      words.trim().split('\n').at(-1),
    );
  }
}

if (import.meta.main) {
  await runCommand(async () => {
    if (process.argv.includes('--help')) return console.log(help);
    const folder = join(fileURLToPath(new URL('../..', import.meta.url)), '.cache/crds');
    const wanted = definitions().filter(({ spec }) =>
      groups.some((group) => spec.group === group || spec.group.endsWith(`.${group}`)),
    );
    if (wanted.length === 0) throw new Failure('The cluster has none of the definitions Kassa uses: no Linkerd, no Gateway API.');
    mkdirSync(folder, { recursive: true });
    for (const definition of wanted) {
      const { metadata, ...rest } = definition;
      const file = join(folder, `${metadata.name}.yaml`);
      writeFileSync(
        file,
        stringify({
          ...rest,
          apiVersion: 'apiextensions.k8s.io/v1',
          kind: 'CustomResourceDefinition',
          metadata: { name: metadata.name },
        }),
      );
    }
    console.log(`${wanted.length} definitions are in .cache/crds; npm run deploy:check uses them.`);
  });
}
