import { parseAllDocuments } from 'yaml';
import { at, list, record } from './objects.ts';
import type { Data, KubeObject } from './objects.ts';
import { each, type Rule } from './rule.ts';
import { isSource } from './rules-schema.ts';

// What holds for kustomizations themselves, before anything is rendered.

const ofSource = (fault: (source: KubeObject) => (string | false | undefined)[]) =>
  each((object) => (isSource(object) ? fault(object) : undefined));
const isIndexed = (path: string) => path.split(/(?<!\\)[./]/).some((step) => /^(\d+|-)$/.test(step));

/** The operations of JSON patches, written as YAML or as JSON; none where it is a merge. */
const operationsOf = (patch: string): Data[] =>
  parseAllDocuments(patch)
    .map((document) => document.toJS() as unknown)
    .flatMap((read) => (Array.isArray(read) ? (read as Data[]) : []));

export const sourceRules: Rule[] = [
  {
    id: 'patch-by-index',
    why: 'The third element of a list is another one tomorrow, and the patch changes what it was never meant for.',
    mend: 'Patch by name: a strategic merge, or a replacement with [name=…].',
    find: ofSource((source) => [
      ...list(source, 'replacements')
        .flatMap((one) => list(one, 'targets'))
        .flatMap((target) => ((target['fieldPaths'] ?? []) as string[]).filter(isIndexed).map((path) => `replaces ${path}`)),
      ...[...list(source, 'patches'), ...list(source, 'patchesJson6902')].flatMap((patch) =>
        operationsOf(String(patch['patch'] ?? ''))
          .map(({ path }) => String(path))
          .filter(isIndexed)
          .map((path) => `patches ${path}`),
      ),
    ]),
  },
  {
    id: 'name-affix',
    why: 'Kustomize renames a Server, but not the name in the AuthorizationPolicy that points at it: everything is denied, and the server accepts it.',
    mend: 'Use a namespace for each country, and no namePrefix or nameSuffix.',
    find: ofSource((source) => ['namePrefix', 'nameSuffix'].map((field) => source[field] !== undefined && `sets ${field}`)),
  },
  {
    id: 'kustomize-deprecated',
    why: 'The next kustomize does not read it, and each of these has a trap that its successor has not.',
    mend: 'resources for bases, patches for patchesJson6902 and patchesStrategicMerge, labels for commonLabels, replacements for vars.',
    find: ofSource((source) =>
      ['bases', 'patchesJson6902', 'patchesStrategicMerge', 'commonLabels', 'vars', 'imageTags'].map(
        (field) => source[field] !== undefined && `uses ${field}`,
      ),
    ),
  },
  {
    id: 'selector-labels',
    why: "A selector cannot be changed later, and includeSelectors never touches a Server's podSelector or a missing one of a budget.",
    mend: 'includeTemplates: true, and app.kubernetes.io/name alone in selectors, written where they are.',
    find: ofSource((source) =>
      list(source, 'labels').map((one) => one['includeSelectors'] === true && 'puts labels into selectors'),
    ),
  },
  {
    id: 'label-text',
    why: 'YAML of kustomize reads no, on, yes and 12 as something other than text: Norway becomes false, and the render fails or lies.',
    mend: 'Put the value in quotes.',
    find: ofSource((source) => {
      const pairs = list(source, 'labels').map((one) => record(one, 'pairs'));
      const maps: Data[] = [...pairs, record(source, 'commonAnnotations')];
      return maps.flatMap((map) =>
        Object.entries(map).map(([key, value]) => typeof value !== 'string' && `has ${key}: ${String(value)} without quotes`),
      );
    }),
  },
  {
    id: 'source-digest',
    why: 'A tag in an overlay is a version that nobody promoted.',
    mend: 'Write newName and digest; tags are for deploy/local.',
    find: each((object, { place }) =>
      isSource(object) && place !== 'local'
        ? list(object, 'images').map(
            (image) =>
              image['digest'] === undefined &&
              `takes ${image['name']} by ${image['newTag'] === undefined ? 'no version' : `tag ${image['newTag']}`}`,
          )
        : undefined,
    ),
  },
  {
    id: 'secret-generator',
    why: 'Its values would be in Git.',
    mend: 'Name the secret in components/external-secrets.',
    find: ofSource((source) => [at(source, 'secretGenerator') !== undefined && 'generates secrets']),
  },
  {
    id: 'remote-resource',
    why: 'What is rendered would depend on a network and on somebody else.',
    mend: 'Copy what is needed, with where it is from.',
    find: ofSource((source) =>
      ['resources', 'components'].flatMap((field) =>
        ((source[field] ?? []) as string[])
          .filter((path) => /^(https?:|git@|ssh:|github\.com\/)|\?ref=/.test(path))
          .map((path) => `takes ${path}`),
      ),
    ),
  },
];
