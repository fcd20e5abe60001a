import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse as parseCel } from '@marcbachmann/cel-js';
import { Ajv, type ValidateFunction } from 'ajv';
import { parseAllDocuments } from 'yaml';
import { at, groupOf, list, text, type Data, type KubeObject } from './objects.ts';

/** Custom resource definitions of a folder; each is read when an object of its kind is first met, since together they are megabytes. */
export interface Crds {
  folder: string;
  /** Undefined where the folder does not know the kind. */
  find(object: KubeObject): CrdVersion | 'version not served' | undefined;
  /** Rules in CEL that objects met so far and that could not be evaluated, each as `Kind: rule`. */
  unjudged: ReadonlySet<string>;
}

export interface CrdVersion {
  isNamespaced: boolean;
  deprecation: string | undefined;
  schemaFaults(object: KubeObject): string[];
  /** Messages of the CEL rules that do not hold; a rule that this library cannot evaluate goes to `unjudged` of the definitions. */
  celFaults(object: KubeObject): string[];
}

/** `$KASSA_CRDS`, or a folder beside the checkout, or what `npm run deploy:crds` fetched. */
export function openCrds(workspace: string, env: NodeJS.ProcessEnv): Crds | undefined {
  const named = env['KASSA_CRDS'];
  const places = named ? [resolve(workspace, named)] : [resolve(workspace, '../shared/crds'), join(workspace, '.cache/crds')];
  const folder = places.find((place) => existsSync(place));
  return folder === undefined ? undefined : readCrds(folder);
}

function readCrds(folder: string): Crds {
  const files = new Map<string, string>();
  for (const name of readdirSync(folder).filter((file) => /\.ya?ml$/.test(file))) {
    const content = readFileSync(join(folder, name), 'utf8');
    const group = /^ {2}group: (\S+)$/m.exec(content)?.[1];
    const kind = /^ {4}kind: (\S+)$/m.exec(content)?.[1];
    if (group && kind) files.set(`${group}/${kind}`, content);
  }
  const read = new Map<string, Map<string, CrdVersion | undefined>>();
  const unjudged = new Set<string>();
  return {
    folder,
    unjudged,
    find(object) {
      const kind = `${groupOf(object)}/${object.kind}`;
      const content = files.get(kind);
      if (content === undefined) return undefined;
      const versions = read.get(kind) ?? versionsOf(content, (rule) => unjudged.add(`${object.kind}: ${rule}`));
      read.set(kind, versions);
      return versions.get(object.apiVersion.split('/')[1] ?? '') ?? 'version not served';
    },
  };
}

/** Hears of a rule that could not be evaluated. */
type PassOver = (rule: string) => void;

function versionsOf(content: string, passOver: PassOver): Map<string, CrdVersion | undefined> {
  const crd = parseAllDocuments(content)
    .map((document) => document.toJS() as Data | null)
    .find((document) => text(document, 'kind') === 'CustomResourceDefinition');
  const isNamespaced = text(crd, 'spec', 'scope') === 'Namespaced';
  return new Map(
    list(crd, 'spec', 'versions').map((version) => [
      String(version['name']),
      version['served'] === false ? undefined : crdVersion(version, { isNamespaced, passOver }),
    ]),
  );
}

function crdVersion(version: Data, { isNamespaced, passOver }: { isNamespaced: boolean; passOver: PassOver }): CrdVersion {
  const schema = at(version, 'schema', 'openAPIV3Schema') as Data;
  let validate: ValidateFunction | undefined;
  const warning = text(version, 'deprecationWarning') ?? 'is deprecated';
  return {
    isNamespaced,
    deprecation: version['deprecated'] === true ? warning : undefined,
    schemaFaults(object) {
      const options = {
        strict: false,
        allErrors: true,
        validateFormats: false,
        unicodeRegExp: false,
        code: { regExp: goRegExp },
      };
      validate ??= new Ajv(options).compile(closed(schema));
      // These three are the API's own and checked with it; definitions often leave them out.
      const { apiVersion: _, kind: __, metadata: ___, ...rest } = object;
      if (validate(rest)) return [];
      return (validate.errors ?? []).map(({ instancePath, message, params }) =>
        'additionalProperty' in params
          ? `${instancePath || 'the object'} has a field ${params['additionalProperty']} that the definition does not know`
          : `${instancePath || 'the object'} ${message}`,
      );
    },
    celFaults: (object) => celFaults(schema, object, passOver),
  };
}

/** The schema as the API server applies it with strict validation: nothing is allowed that is not named. */
function closed(schema: Data): Data {
  const { description: _, default: __, ...rest } = schema;
  const copy: Data = { ...rest };
  if (copy['nullable'] === true && typeof copy['type'] === 'string') copy['type'] = [copy['type'], 'null'];
  const properties = copy['properties'] as Record<string, Data> | undefined;
  if (properties) {
    copy['properties'] = Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, closed(inner)]));
    const isOpen = copy['x-kubernetes-preserve-unknown-fields'] === true || copy['additionalProperties'] !== undefined;
    if (!isOpen) copy['additionalProperties'] = false;
  }
  if (Array.isArray(copy['required'])) {
    copy['required'] = (copy['required'] as string[]).filter(
      (name) => !['apiVersion', 'kind', 'metadata', 'status'].includes(name),
    );
  }
  if (typeof copy['items'] === 'object') copy['items'] = closed(copy['items'] as Data);
  if (typeof copy['additionalProperties'] === 'object')
    copy['additionalProperties'] = closed(copy['additionalProperties'] as Data);
  return copy;
}

/** Patterns are Go's, which may say in front of a group that case is all the same to it; JavaScript says so with a flag. */
const goRegExp = Object.assign(
  (pattern: string, flags: string) =>
    pattern.includes('(?i)') ? new RegExp(pattern.replaceAll('(?i)', ''), `${flags}i`) : new RegExp(pattern, flags),
  { code: 'goRegExp' },
);

/** Rules are written per node of the schema, with `self` being the value there; defaults are filled in before, as the server does. */
function celFaults(schema: Data, value: unknown, passOver: PassOver, path = ''): string[] {
  if (value === undefined || value === null) return [];
  const own = list(schema, 'x-kubernetes-validations').flatMap((rule) =>
    celFault(rule, withDefaults(schema, value), { path, passOver }),
  );
  const properties = (schema['properties'] ?? {}) as Record<string, Data>;
  const inner = Array.isArray(value)
    ? value.flatMap((item, index) => celFaults((schema['items'] ?? {}) as Data, item, passOver, `${path}/${index}`))
    : typeof value === 'object'
      ? Object.entries(value).flatMap(([name, field]) => {
          const of = properties[name] ?? schema['additionalProperties'];
          return typeof of === 'object' ? celFaults(of as Data, field, passOver, `${path}/${name}`) : [];
        })
      : [];
  return [...own, ...inner];
}

function withDefaults(schema: Data, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => withDefaults((schema['items'] ?? {}) as Data, item));
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value);
  if (typeof value !== 'object' || value === null) return value;
  const properties = (schema['properties'] ?? {}) as Record<string, Data>;
  const filled: Data = { ...(value as Data) };
  for (const [name, field] of Object.entries(properties)) {
    if (filled[name] === undefined && field['default'] !== undefined) filled[name] = structuredClone(field['default']);
  }
  const inner = (name: string) => (properties[name] ?? schema['additionalProperties'] ?? {}) as Data;
  return Object.fromEntries(Object.entries(filled).map(([name, field]) => [name, withDefaults(inner(name), field)]));
}

const parsed = new Map<string, ReturnType<typeof parseCel> | undefined>();

function celFault(rule: Data, self: unknown, { path, passOver }: { path: string; passOver: PassOver }): string[] {
  const source = String(rule['rule']);
  if (source.includes('oldSelf')) return []; // only an update has an old value
  if (!parsed.has(source)) {
    parsed.set(
      source,
      attempt(() => parseCel(source)),
    );
  }
  const holds = attempt(() => parsed.get(source)?.({ self }));
  const message = String(rule['message'] ?? source).replaceAll('\n', ' ');
  if (typeof holds !== 'boolean') passOver(message);
  return holds === false ? [`${path || 'the object'}: ${message}`] : [];
}

/** A rule that CEL in JavaScript cannot read or evaluate says nothing either way; the API server judges it. */
function attempt<T>(evaluate: () => T): T | undefined {
  try {
    return evaluate();
  } catch {
    return undefined;
  }
}
