import type { Rule } from './rule.ts';
import { annotationRules, meshedRules, networkRules, routeRules, serverRules } from './rules-mesh.ts';
import { podRules } from './rules-pod.ts';
import { referenceRules } from './rules-references.ts';
import { schemaRules } from './rules-schema.ts';
import { sliceRules } from './rules-slice.ts';
import { sourceRules } from './rules-source.ts';

/** All rules over manifests. Each has a folder of its name in deploy/tests/bad with at least one manifest that it alone catches. */
export const rules: Rule[] = [
  ...schemaRules,
  ...referenceRules,
  ...annotationRules,
  ...serverRules,
  ...meshedRules,
  ...routeRules,
  ...networkRules,
  ...podRules,
  ...sliceRules,
  ...sourceRules,
];
