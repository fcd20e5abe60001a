import { isDeepStrictEqual } from 'node:util';
import { keyOf, nameOf, type Data, type KubeObject } from '../deploy/objects.ts';

export interface FieldChange {
  /** Names all the way, `spec.template.spec.containers[app].image`. */
  path: string;
  before: string | undefined;
  after: string | undefined;
}

export interface ObjectChange {
  object: string;
  what: 'added' | 'removed' | 'changed';
  /** Empty for a whole object that comes or goes. */
  fields: FieldChange[];
}

/** What differs between two renders, object by object and field by field, in the order of their names. */
export function diffObjects(before: KubeObject[], after: KubeObject[]): ObjectChange[] {
  const [old, fresh] = [byKey(before), byKey(after)];
  const keys = [...new Set([...old.keys(), ...fresh.keys()])].sort();
  return keys.flatMap((key): ObjectChange[] => {
    const [was, is] = [old.get(key), fresh.get(key)];
    if (was === undefined || is === undefined) {
      const object = was ?? is;
      return object ? [{ object: nameOf(object), what: was ? 'removed' : 'added', fields: [] }] : [];
    }
    const fields = diffFields('', was, is);
    return fields.length === 0 ? [] : [{ object: nameOf(is), what: 'changed', fields }];
  });
}

const byKey = (objects: KubeObject[]) => new Map(objects.map((object) => [keyOf(object), object]));

function diffFields(path: string, before: unknown, after: unknown): FieldChange[] {
  if (isDeepStrictEqual(before, after)) return [];
  const [old, fresh] = [children(before), children(after)];
  if (old === undefined || fresh === undefined) return [{ path, before: shown(before), after: shown(after) }];
  return [...new Set([...old.keys(), ...fresh.keys()])].flatMap((step) => {
    const inner = step.startsWith('[') || path === '' ? `${path}${step}` : `${path}.${step}`;
    return diffFields(inner, old.get(step), fresh.get(step));
  });
}

/** Fields of a map, entries of a list by their `name` where all have one, else by place; undefined for a plain value. */
function children(value: unknown): Map<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (!Array.isArray(value)) return new Map(Object.entries(value));
  const names = value.map((entry) => (entry as Data | null)?.['name']);
  const areNamed = names.every((name) => typeof name === 'string') && new Set(names).size === names.length;
  return new Map(value.map((entry, place) => [`[${areNamed ? String(names[place]) : place}]`, entry]));
}

function shown(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
