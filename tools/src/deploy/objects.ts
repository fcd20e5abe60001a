import { parseAllDocuments } from 'yaml';

/** A Kubernetes object, or a kustomization; only what all of them have is typed, the rest is read with `at`. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  [field: string]: unknown;
}

export type Data = Record<string, unknown>;

/** Reads all documents of a YAML text as kubectl does, by YAML 1.1: an unquoted `no` is false. Throws the parser's error with the line. */
export function parseObjects(text: string): KubeObject[] {
  return parseAllDocuments(text, { version: '1.1' }).flatMap((document) => {
    const [fault] = document.errors;
    if (fault) throw fault;
    const object = document.toJS() as KubeObject | null;
    return object === null ? [] : [{ ...object, metadata: object.metadata ?? { name: '' } }];
  });
}

/** The value at a path of field names, undefined where a step is missing. */
export function at(value: unknown, ...path: (string | number)[]): unknown {
  return path.reduce<unknown>((inner, step) => (inner as Data | undefined | null)?.[step], value);
}

export const text = (value: unknown, ...path: (string | number)[]): string | undefined => {
  const found = at(value, ...path);
  return typeof found === 'string' ? found : undefined;
};

export const list = (value: unknown, ...path: (string | number)[]): Data[] => {
  const found = at(value, ...path);
  return Array.isArray(found) ? (found as Data[]) : [];
};

export const record = (value: unknown, ...path: (string | number)[]): Data => {
  const found = at(value, ...path);
  return typeof found === 'object' && found !== null && !Array.isArray(found) ? (found as Data) : {};
};

export const groupOf = (object: KubeObject) => (object.apiVersion.includes('/') ? (object.apiVersion.split('/')[0] ?? '') : '');
export const nameOf = (object: KubeObject) => `${object.kind}/${object.metadata.name}`;
export const namespaceOf = (object: KubeObject) => object.metadata.namespace ?? '';
export const annotationsOf = (object: unknown) => record(object, 'metadata', 'annotations') as Record<string, string>;
export const labelsOf = (object: unknown) => record(object, 'metadata', 'labels') as Record<string, string>;

/** What makes two texts the same object for a cluster. */
export const keyOf = (object: KubeObject) => [groupOf(object), object.kind, namespaceOf(object), object.metadata.name].join('|');

const workloads = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'Job']);
export const isWorkload = (object: KubeObject) => workloads.has(object.kind);
/** The pod template of a workload. */
export const templateOf = (object: KubeObject) => record(object, 'spec', 'template');
export const podOf = (object: KubeObject) => record(object, 'spec', 'template', 'spec');
export const containersOf = (object: KubeObject) => [
  ...list(podOf(object), 'containers'),
  ...list(podOf(object), 'initContainers'),
];
