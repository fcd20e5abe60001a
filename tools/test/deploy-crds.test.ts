import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openCrds } from '../src/deploy/crds.ts';

const folder = mkdtempSync(join(tmpdir(), 'kassa-crds-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

writeFileSync(
  join(folder, 'tills.yaml'),
  `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: tills.kassa.example
spec:
  group: kassa.example
  names:
    kind: Till
  scope: Namespaced
  versions:
    - name: v1
      served: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties:
                drawers: { type: integer }
              x-kubernetes-validations:
                - { rule: 'self.drawers <= 2', message: at most two drawers }
                - { rule: 'shelfLaw(self.drawers)', message: the law of shelves }
                - { rule: 'self.drawers == oldSelf.drawers', message: drawers stay }
`,
);
const till = (drawers: number) => ({
  apiVersion: 'kassa.example/v1',
  kind: 'Till',
  metadata: { name: 'till' },
  spec: { drawers },
});

test('A rule in CEL is judged, one that cannot be evaluated is named, and one on changes waits for a change', () => {
  const crds = openCrds('/nowhere', { KASSA_CRDS: folder });
  const definition = crds?.find(till(3));
  const faults = typeof definition === 'object' ? [till(3), till(2)].map((object) => definition.celFaults(object)) : undefined;
  expect({ faults, unjudged: [...(crds?.unjudged ?? [])] }).toEqual({
    faults: [['/spec: at most two drawers'], []],
    unjudged: ['Till: the law of shelves'],
  });
});
