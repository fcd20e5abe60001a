import { at, list, parseObjects, text, type Data } from '../deploy/objects.ts';
import type { Finding } from '../deploy/rule.ts';
import { wavesFile, type Waves } from '../deploy/waves.ts';
import { catalogueFolder, type Series } from './catalogue.ts';
import { judgeQuery, withoutVariables } from './promql.ts';

export const observabilityFolder = 'deploy/observability/rendered';

/** A rule as it stands in a PrometheusRule. */
export interface PlainRule {
  record?: string;
  alert?: string;
  expr: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

/** Rendered files by their path below deploy/observability/rendered. */
export type Files = ReadonlyMap<string, string>;

export const rulesOf = (content: string): PlainRule[] =>
  parseObjects(content)
    .filter(({ kind }) => kind === 'PrometheusRule')
    .flatMap((object) => list(object, 'spec', 'groups').flatMap((group) => list(group, 'rules') as unknown as PlainRule[]));

/**
 * Holds every query of rules, dashboards and gates against the metrics there are, and every label that a sentence or a legend fills in
 * against the labels of its answer.
 */
export function observabilityFindings(
  files: Files,
  { gates }: Pick<Waves, 'gates'>,
  known: ReadonlyMap<string, Series>,
): Finding[] {
  const { series, findings } = withRecorded(files, known);
  const judge = (file: string, object: string, query: string, texts: string[] = [], more: string[] = []): Finding[] => {
    const { faults, labels } = judgeQuery(withoutVariables(query), series);
    const empty = texts.flatMap(filledIn).filter((name) => !more.includes(name) && labels?.has(name) === false);
    return [...faults, ...empty.map((name) => `a text fills in ${name}, which the answer does not have`)].map((what) =>
      finding(file, object, what),
    );
  };
  const alerts = [...files].flatMap(([path, content]) =>
    path.endsWith('.yaml')
      ? rulesOf(content).flatMap(({ alert, expr, labels, annotations }) =>
          alert === undefined
            ? []
            : judge(inFolder(path), alert, expr, Object.values(annotations ?? {}), Object.keys(labels ?? {})),
        )
      : [],
  );
  const charts = [...files].flatMap(([path, content]) =>
    path.endsWith('.json')
      ? queriesOf(JSON.parse(content) as Data).flatMap(({ title, query, legend }) =>
          judge(inFolder(path), title, query, [legend]),
        )
      : [],
  );
  const gated = Object.entries(gates).flatMap(([name, { query }]) => judge(wavesFile, `gate ${name}`, query));
  return [...findings, ...alerts, ...charts, ...gated];
}

/** The series there are together with those that rules record, in the order in which they are recorded. */
function withRecorded(files: Files, known: ReadonlyMap<string, Series>): { series: Map<string, Series>; findings: Finding[] } {
  const series = new Map(known);
  const findings: Finding[] = [];
  for (const [path, content] of files) {
    if (!path.endsWith('.yaml')) continue;
    for (const { record, expr, labels } of rulesOf(content)) {
      if (record === undefined) continue;
      const judged = judgeQuery(expr, series);
      findings.push(...judged.faults.map((what) => finding(inFolder(path), record, what)));
      const all = new Set([...(judged.labels ?? []), ...Object.keys(labels ?? {})]);
      const before = series.get(record);
      const odd =
        before === undefined ? [] : [...all, ...before.labels].filter((name) => all.has(name) !== before.labels.has(name));
      if (odd.length > 0) findings.push(finding(inFolder(path), record, `is recorded with and without ${odd.join(', ')}`));
      series.set(record, { labels: all });
    }
  }
  return { series, findings };
}

/** Every query of a dashboard, those behind its variables as well. */
export function queriesOf(page: Data): { title: string; query: string; legend: string }[] {
  const charts = list(page, 'panels').flatMap((panel) =>
    list(panel, 'targets').map((target) => ({
      title: text(panel, 'title') ?? '',
      query: text(target, 'expr') ?? '',
      legend: text(target, 'legendFormat') ?? '',
    })),
  );
  const variables = list(page, 'templating', 'list').flatMap((variable) => {
    const [, selector, label] = /^label_values\((.+), (\w+)\)$/.exec(String(at(variable, 'query'))) ?? [];
    return selector === undefined
      ? []
      : [{ title: `variable ${String(variable['name'])}`, query: selector, legend: `{{${label}}}` }];
  });
  return [...charts, ...variables];
}

/** `{{ $labels.route }}` in an alert, `{{route}}` in a legend. */
const filledIn = (words: string) => [
  ...[...words.matchAll(/\$labels\.(\w+)/g)].map(([, name = '']) => name),
  ...[...words.matchAll(/\{\{(\w+)\}\}/g)].map(([, name = '']) => name),
];

const inFolder = (path: string) => `${observabilityFolder}/${path}`;

const finding = (file: string, object: string, what: string): Finding => ({
  file,
  object,
  rule: 'metric-exists',
  what,
  why: 'Prometheus answers nothing to a query about what does not exist, so that an alert never fires and a gate or a chart stays empty.',
  mend: `Correct the query in tools/src/observability or ${wavesFile}; if the metric is new, add it to ${catalogueFolder} and show it in a live scrape.`,
});
