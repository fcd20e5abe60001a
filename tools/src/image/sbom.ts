import type { Package } from './closure.ts';

/** A bill of materials in CycloneDX 1.6 (ECMA-424), without time or serial number, so that the same image has the same bill. */
export function sbom(name: string, version: string, packages: Package[]): string {
  const purl = (one: { name: string; version: string }) => `pkg:npm/${one.name.replace('@', '%40')}@${one.version}`;
  const components = packages.map((one) => ({
    type: 'library',
    'bom-ref': `${purl(one)}#${one.folder}`,
    name: one.name,
    version: one.version,
    purl: purl(one),
    licenses: [/^[\w.-]+$/.test(one.licence) ? { license: { name: one.licence } } : { expression: one.licence }],
  }));
  const node = {
    type: 'platform',
    'bom-ref': 'node',
    name: 'node',
    version: process.versions.node,
    purl: `pkg:generic/node@${process.versions.node}`,
  };
  const bill = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { component: { type: 'container', 'bom-ref': name, name, version } },
    components: [node, ...components],
  };
  return `${JSON.stringify(bill, null, 2)}\n`;
}
