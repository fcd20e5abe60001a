import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Failure, runCommand } from './failure.ts';
import { docker, hasDocker, inspectImage } from './image/docker.ts';
import { say } from './progress.ts';
import { checked, releaseNames, releaseText, short, type Release } from './rollout/release.ts';

const help = `npm run image:push -- registry.example [options]     pushes the images of the four services and their migrations, and writes what
                                                     npm run rollout -- promote dk-pilot --release release.yaml reads

  --tag local            which images, as npm run image built them: kassa/<service>:local
  --to release.yaml      the file to write: the commit and one digest an image
  --help

The registry may have a path, registry.example/team. Log in before with docker login. All images must be of one commit, and the checkout
must have been that commit when they were built; else nothing is pushed.`;

const registryGrammar = /^[a-z0-9.-]+(:\d+)?(\/[a-z0-9._-]+)*$/;
const revision = 'org.opencontainers.image.revision';

/** Pushes kassa/<name>:<tag> of a release to `registry` under its commit. Throws Failure before the first push where they are not of one commit. */
export function pushRelease(registry: string, tag: string): Release {
  if (!registryGrammar.test(registry)) throw new Failure(`${registry} is no registry; name it as docker does, without https://.`);
  const commit = commitOf(tag);
  const images = releaseNames.map((name) => {
    const [local, repository] = [`kassa/${name}:${tag}`, `${registry}/kassa/${name}`];
    const remote = `${repository}:${short(commit)}`;
    say(`Pushing ${remote} …`);
    docker(['tag', local, remote]);
    docker(['push', '--quiet', remote], `${remote} was not pushed.`);
    return [name, digestIn(repository, remote)] as const;
  });
  return checked('What was pushed', { commit, images: Object.fromEntries(images) });
}

function commitOf(tag: string): string {
  const built = releaseNames.map(
    (name) => [name, inspectImage(`kassa/${name}:${tag}`).Config.Labels?.[revision] ?? 'none'] as const,
  );
  const [[, commit = ''] = []] = built;
  if (built.some(([, other]) => other !== commit))
    throw new Failure(
      'These images are of more than one commit; build them all again with npm run image.',
      built.map(([name, other]) => `${name}: ${other}`).join('\n'),
    );
  if (!/^[0-9a-f]{40}$/.test(commit))
    throw new Failure(`These images were built from ${commit}, which nobody can find again; commit, then build them anew.`);
  return commit;
}

/** An image that was pushed to several registries has a digest for each. */
function digestIn(repository: string, remote: string): string {
  const digests = JSON.parse(docker(['image', 'inspect', '--format', '{{json .RepoDigests}}', remote])) as string[];
  const found = digests.find((one) => one.startsWith(`${repository}@`));
  if (found === undefined) throw new Failure(`Docker does not say which digest ${repository} has for ${remote}.`);
  return found;
}

if (import.meta.main) {
  await runCommand(async () => {
    const text = { type: 'string' } as const;
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { tag: text, to: text, help: { type: 'boolean' } },
    });
    if (values.help) return console.log(help);
    const [registry, ...more] = positionals;
    if (registry === undefined || more.length > 0) throw new Failure('Name one registry to push to.', help);
    if (!hasDocker()) throw new Failure('There is no Docker engine that has images to push.');
    const release = pushRelease(registry, values.tag ?? 'local');
    const file = values.to ?? 'release.yaml';
    writeFileSync(resolve(file), `${releaseText(release)}\n`);
    console.log(`${file} names ${releaseNames.length} images of ${short(release.commit)}.`);
    console.log(`Next: npm run rollout -- promote dk-pilot --release ${file}`);
  });
}
