import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pc from 'picocolors';
import { readCountries } from './deploy/countries.ts';
import { contractFindings, readContracts } from './deploy/check-contracts.ts';
import { clusterFindings, readClusters } from './deploy/check-clusters.ts';
import { countryFindings } from './deploy/check-countries.ts';
import { kubernetesVersion } from './deploy/apiserver-build.ts';
import { openCrds, type Crds } from './deploy/crds.ts';
import { findKustomize, howToGetKustomize } from './deploy/kustomize.ts';
import { judge, type Finding, type Scene } from './deploy/rule.ts';
import { rules } from './deploy/rules.ts';
import { checkOnServer } from './deploy/server-check.ts';
import { known, renderScenes, sceneWith, sourceScenes } from './deploy/scenes.ts';
import { readTraffic } from './deploy/traffic.ts';
import { readWaves } from './deploy/waves.ts';
import { readFolder, staleFiles } from './deploy-render.ts';
import { Failure, runCommand } from './failure.ts';
import { catalogue } from './observability/catalogue.ts';
import { observabilityFindings, observabilityFolder } from './observability/check.ts';

const help = `npm run deploy:check [-- options]     judges every manifest of deploy/ by ${rules.length} rules, without network or cluster

  --server            ask a real API server as well: builds kube-apiserver ${kubernetesVersion} with Go (once, some five minutes), starts it on
                      etcd, and dry-runs every manifest and the pods of every workload, strictly and with warnings as errors; then
                      the bad manifests, to show which traps only our rules see
  --country dk        render the overlays of one country only, with platform and clusters
  --rules             list the rules with what each is for
  --verbose           say for every finding in which overlays it was seen; with --server, what it said of each bad manifest
  --help

  KASSA_CRDS=/folder  custom resource definitions, one a file; else they are looked for beside the checkout, or in .cache/crds,
                      which npm run deploy:crds fills from the cluster kubectl is connected to

Ends with 1 if anything was found. Bad manifests that show each rule at work are in deploy/tests/bad.`;

export interface Report {
  findings: (Finding & { seenIn: string[] })[];
  scenes: Scene[];
  /** False where nothing on this machine renders, so that kustomizations were judged and no manifest. */
  isRendered: boolean;
  crds: Crds | undefined;
  /** What this machine could not judge, a sentence each. */
  unseen: string[];
}

/** Judges everything below deploy/, of the overlays all or those of the country `only`, and says what it could not see. */
export async function checkDeploy(
  workspace: string,
  env: NodeJS.ProcessEnv,
  { only }: { only?: string | undefined } = {},
): Promise<Report> {
  const crds = openCrds(workspace, env);
  const kustomize = findKustomize(workspace);
  const facts = known(workspace, crds);
  const traffic = readTraffic(workspace);
  const contracts = readContracts(workspace);
  const waves = readWaves(workspace);
  const countries = readCountries(workspace);
  const names = [...new Set(countries.map(({ country }) => country))];
  if (only !== undefined && !names.includes(only))
    throw new Failure(`There is no country ${only}; there are ${names.join(', ')}.`);
  const { scenes, findings } = kustomize
    ? await renderScenes(workspace, kustomize, { ...facts, only })
    : { scenes: sourceScenes(workspace, sceneWith(facts)), findings: [] };
  const judged = await Promise.all(
    scenes.map(async (scene) => (await judge(scene, rules)).map((finding) => ({ ...finding, seenIn: [scene.title] }))),
  );
  const others = [
    ...findings,
    ...contractFindings(traffic, contracts),
    ...countryFindings(countries, { workspace, traffic, waves: waves.waves }),
    ...clusterFindings(readClusters(workspace), { workspace, countries, waves: waves.waves }),
    ...observabilityFindings(readFolder(join(workspace, observabilityFolder)), waves, catalogue(workspace)),
    ...staleFiles(workspace).map(({ path, fault }) => stale(path, fault)),
  ];
  const withoutHttp = Object.keys(traffic.services).filter((name) => !contracts.withHttp.has(name));
  const unknownKinds = kindsWithoutSchema(scenes, crds);
  return {
    findings: merge([...judged.flat(), ...others.map((finding) => ({ ...finding, seenIn: [] }))]),
    scenes,
    isRendered: kustomize !== undefined,
    crds,
    unseen: [
      ...(kustomize ? [] : [`every manifest, since nothing here renders them. ${howToGetKustomize}`]),
      ...(crds
        ? []
        : [
            'no custom resource definitions, so the fields of Linkerd, Gateway API and other custom kinds (set KASSA_CRDS, or npm run deploy:crds).',
          ]),
      ...(unknownKinds.length > 0 ? [`the fields of ${unknownKinds.join(', ')}, which ${crds?.folder} does not define.`] : []),
      ...(crds && crds.unjudged.size > 0 ? [unjudgedSentence(crds.unjudged)] : []),
      ...(withoutHttp.length > 0 ? [`the HTTP routes of ${withoutHttp.join(', ')}: apps/*/openapi.json is not there.`] : []),
    ],
  };
}

const stale = (file: string, fault: string): Finding => ({
  file,
  object: 'rendered file',
  rule: 'rendered-current',
  what: fault,
  why: 'Flux applies what is rendered, and people read traffic.yaml; the two would say different things.',
  mend: 'npm run deploy:render',
});

const unjudgedSentence = (rules: ReadonlySet<string>) =>
  [`${rules.size} rules in CEL that the library for JavaScript cannot evaluate; a server can (--server):`, ...rules].join(
    '\n    ',
  );

function kindsWithoutSchema(scenes: Scene[], crds: Scene['crds']): string[] {
  if (!crds) return [];
  const custom = scenes
    .flatMap((scene) => scene.judged.map(({ object }) => object))
    .filter(({ apiVersion }) => /^[\w-]+\.[\w.-]+\//.test(apiVersion));
  const isOurs = (apiVersion: string) =>
    /(^|\.)k8s\.io\/|^kustomize\.config/.test(apiVersion) && !apiVersion.startsWith('gateway.');
  return [
    ...new Set(custom.filter((object) => !isOurs(object.apiVersion) && crds.find(object) === undefined).map(({ kind }) => kind)),
  ];
}

/** The same fault of the same file shows in many overlays and is told once. */
function merge(findings: (Finding & { seenIn: string[] })[]): (Finding & { seenIn: string[] })[] {
  const groups = Map.groupBy(findings, ({ file, object, rule, what }) => [file, object, rule, what].join('|'));
  return [...groups.values()].flatMap(([first, ...rest]) =>
    first ? [{ ...first, seenIn: [...new Set([...first.seenIn, ...rest.flatMap(({ seenIn }) => seenIn)])] }] : [],
  );
}

function show({ findings, scenes, isRendered, unseen }: Report, isVerbose: boolean): void {
  showFindings(findings, isVerbose);
  const objects = scenes.reduce((sum, scene) => sum + scene.judged.length, 0);
  const count = isRendered
    ? `${objects} objects in ${scenes.length} renders, ${rules.length} rules`
    : `${objects} kustomizations as they are written, not one manifest`;
  if (unseen.length > 0) console.log(`\n${unseen.map((sentence) => pc.yellow(`not seen: ${sentence}`)).join('\n')}`);
  console.log(
    findings.length === 0
      ? `\n${isRendered ? pc.green('✓') : pc.yellow('?')} ${count}: nothing found`
      : `\n${pc.red(`${findings.length} findings`)} in ${count}`,
  );
}

function showFindings(findings: Report['findings'], isVerbose: boolean): void {
  for (const [file, inFile] of Map.groupBy(findings, (finding) => finding.file)) {
    console.log(`\n${pc.bold(file)}`);
    for (const { object, rule, what, why, mend, seenIn } of inFile) {
      const places = seenIn.length > 1 ? pc.dim(` (in ${isVerbose ? seenIn.join(', ') : `${seenIn.length} renders`})`) : '';
      console.log(
        `  ${pc.red('✗')} ${pc.cyan(object)} ${what}${places}\n      ${pc.dim(`${rule}:`)} ${why}\n      ${pc.green('mend:')} ${mend}`,
      );
    }
  }
}

if (import.meta.main) {
  await runCommand(async () => {
    const flag = { type: 'boolean' } as const;
    const { values: given } = parseArgs({
      options: { server: flag, country: { type: 'string' }, rules: flag, verbose: flag, help: flag },
    });
    if (given.help) return console.log(help);
    if (given.rules) return rules.forEach(({ id, why, mend }) => console.log(`${pc.bold(id)}\n  ${why}\n  ${pc.green(mend)}`));
    const workspace = fileURLToPath(new URL('../..', import.meta.url));
    const isVerbose = given.verbose ?? false;
    const report = await checkDeploy(workspace, process.env, { only: given.country });
    show(report, isVerbose);
    if (report.findings.length > 0) process.exitCode = 1;
    if (!given.server) return;
    const { findings, lines } = await checkOnServer({ workspace, env: process.env, isVerbose, ...report });
    showFindings(findings, isVerbose);
    console.log(`\n${lines.join('\n')}`);
    if (findings.length > 0) process.exitCode = 1;
  });
}
