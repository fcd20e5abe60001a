import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { corpusFolder, type BadManifest } from './corpus.ts';
import type { Finding } from './rule.ts';
import { inTurn, withPods, type Judge, type Verdict } from './server.ts';

/** `never sees` is a kustomization: what is wrong with it is gone once it is rendered. */
export type Agreement = Verdict['answer'] | 'never sees';

export interface Judged {
  manifest: Pick<BadManifest, 'file' | 'rule'>;
  agreement: Agreement;
  words: string;
}

const order: Agreement[] = ['refuses', 'warns', 'accepts', 'never sees'];

/** What the server says of each bad manifest: the worst that it says of one of its objects or of their pods. */
export function judgeCorpus(judge: Judge, corpus: BadManifest[]): Promise<Judged[]> {
  return inTurn(corpus, async (manifest) => {
    const verdicts: Verdict[] = [];
    for (const object of withPods(manifest.objects)) verdicts.push(await judge.verdict(object));
    const worst = verdicts.toSorted((a, b) => order.indexOf(a.answer) - order.indexOf(b.answer))[0];
    return { manifest, agreement: worst?.answer ?? 'never sees', words: worst?.words ?? '' };
  });
}

/** Rules that repeat what the server says, so that a machine without one hears it too; the server must agree with every manifest. */
const repeated = ['unknown-field', 'schema', 'crd-schema', 'crd-cel'];

/**
 * The published schema calls this list required, and the server takes none for an empty one. A limit that limits nothing is a mistake
 * all the same, so the rule keeps to the schema.
 */
const stricter = ['bad/schema/limit-range-without-limits.yaml'];

/** Where a rule calls something refused that the server would take. */
export function disagreements(judged: Judged[]): Finding[] {
  return judged
    .filter(
      ({ manifest: { rule, file }, agreement }) => repeated.includes(rule) && !stricter.includes(file) && agreement !== 'refuses',
    )
    .map(({ manifest, agreement }) => ({
      file: `${corpusFolder}/${manifest.file}`,
      object: manifest.rule,
      rule: 'api-server',
      what: `is found by ${manifest.rule}, and the API server ${agreement} it`,
      why: 'This rule speaks for the server; one that is stricter than it refuses good manifests.',
      mend: 'Mend the rule, or take what it says into a rule of its own.',
    }));
}

/** The table of deploy/tests/README.md: each rule, and what the server does with its bad manifests. */
export function agreementTable(judged: Judged[]): string {
  const byRule = [...Map.groupBy(judged, ({ manifest }) => manifest.rule)].map(([rule, of]) => ({ rule, of }));
  const rank = ({ of }: { of: Judged[] }) => of.reduce((sum, { agreement }) => sum + order.indexOf(agreement), 0) / of.length;
  const rows = byRule
    .toSorted((a, b) => rank(a) - rank(b) || a.rule.localeCompare(b.rule))
    .map(({ rule, of }) => [`\`${rule}\``, String(of.length), summary(of)]);
  return markdown([['Rule', 'Manifests', 'The API server'], ...rows]);
}

function summary(judged: Judged[]): string {
  const counts = order
    .map((agreement) => ({ agreement, count: judged.filter((one) => one.agreement === agreement).length }))
    .filter(({ count }) => count > 0);
  return counts.map(({ agreement, count }) => (counts.length === 1 ? agreement : `${agreement} ${count}`)).join(', ');
}

/** As Prettier writes it, so that the file stays as it is when it is formatted. */
function markdown([head = [], ...rows]: string[][]): string {
  const widths = head.map((title, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0), title.length));
  const line = (cells: string[]) => `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...rows.map(line)].join('\n');
}

/** The committed table is what a reader without Go learns it from, so it must be what the server says. */
export function tableFinding(workspace: string, table: string): Finding[] {
  const file = `${corpusFolder}/README.md`;
  if (readFileSync(join(workspace, file), 'utf8').includes(table)) return [];
  return [
    {
      file,
      object: 'table',
      rule: 'api-server',
      what: 'says something else of our rules and the API server than the server does',
      why: 'A reader would believe that the server catches what it lets through.',
      mend: `Write this instead:\n\n${table}`,
    },
  ];
}
