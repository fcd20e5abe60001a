import { parser } from '@prometheus-io/lezer-promql';
import type { Series } from './catalogue.ts';

/** What a query asks for that does not exist, and the labels its answer has. */
export interface Judgement {
  faults: string[];
  /** Undefined for a number. */
  labels: ReadonlySet<string> | undefined;
}

type Labels = ReadonlySet<string> | undefined;
type SyntaxNode = ReturnType<typeof parser.parse>['topNode'];

/**
 * Reads a query by Prometheus' own grammar and follows the labels of its series through every operator. A fault is: no PromQL, a metric or
 * a label that does not exist, a bucket that the histogram does not have, and two sides whose labels can never match.
 * Grafana's variables are replaced before, see `withoutVariables`.
 */
export function judgeQuery(query: string, series: ReadonlyMap<string, Series>): Judgement {
  const faults: string[] = [];
  const words = (node: SyntaxNode) => query.slice(node.from, node.to);
  const unquoted = (node: SyntaxNode) => words(node).slice(1, -1);
  const need = (labels: Labels, name: string, where: SyntaxNode) => {
    if (labels !== undefined && !labels.has(name)) faults.push(`label ${name} does not exist in ${words(where)}`);
  };

  function labelsOf(node: SyntaxNode): Labels {
    switch (node.name) {
      case 'VectorSelector':
        return selected(node);
      case 'AggregateExpr':
        return aggregated(node);
      case 'FunctionCall':
        return called(node);
      case 'BinaryExpr':
        return combined(node);
      case 'NumberDurationLiteral':
      case 'StringLiteral':
        return undefined;
      default: {
        const inner = childrenOf(node).find(isExpression);
        return inner && labelsOf(inner);
      }
    }
  }

  function selected(node: SyntaxNode): Labels {
    const identifier = node.getChild('Identifier');
    if (!identifier) {
      faults.push(`${words(node)} names no metric`);
      return new Set();
    }
    const found = series.get(words(identifier));
    if (!found) {
      faults.push(`metric ${words(identifier)} does not exist`);
      return undefined;
    }
    for (const matcher of node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? []) {
      const [name, operator, value] = [
        matcher.getChild('LabelName'),
        matcher.getChild('MatchOp'),
        matcher.getChild('StringLiteral'),
      ];
      if (!name || !operator || !value) continue;
      need(found.labels, words(name), node);
      if (words(name) !== 'le' || !found.buckets || !/^=~?$/.test(words(operator))) continue;
      const wanted = unquoted(value);
      const isWanted = (bound: string) =>
        words(operator) === '=' ? bound === wanted : new RegExp(`^(?:${wanted})$`).test(bound);
      if (![...found.buckets].some(isWanted))
        faults.push(`${words(identifier)} has no bucket le${words(operator)}${words(value)}`);
    }
    return found.labels;
  }

  function aggregated(node: SyntaxNode): Labels {
    const operator = node.getChild('AggregateOp');
    const body = node.getChild('FunctionCallBody');
    const inner = childrenOf(body)
      .filter(isExpression)
      .map(labelsOf)
      .findLast((labels) => labels !== undefined);
    if (operator && /^(topk|bottomk|limitk)$/.test(words(operator))) return inner;
    const modifier = node.getChild('AggregateModifier');
    const names = groupingOf(modifier);
    for (const name of names) need(inner, name, node);
    return modifier?.getChild('Without') ? new Set([...(inner ?? [])].filter((name) => !names.includes(name))) : new Set(names);
  }

  function called(node: SyntaxNode): Labels {
    const name = node.getChild('FunctionIdentifier');
    const given = childrenOf(node.getChild('FunctionCallBody')).filter(isExpression);
    const labels = given.map(labelsOf).find((one) => one !== undefined);
    const strings = given.filter((one) => one.name === 'StringLiteral').map(unquoted);
    switch (name && words(name)) {
      case 'label_replace':
        need(labels, strings[2] ?? '', node);
        return new Set([...(labels ?? []), strings[0] ?? '']);
      case 'label_join':
        for (const source of strings.slice(2)) need(labels, source, node);
        return new Set([...(labels ?? []), strings[0] ?? '']);
      case 'histogram_quantile':
        need(labels, 'le', node);
        return new Set([...(labels ?? [])].filter((one) => one !== 'le'));
      case 'time':
        return undefined;
      default:
        return labels;
    }
  }

  function combined(node: SyntaxNode): Labels {
    const [left, right] = childrenOf(node).filter(isExpression);
    const [ours, theirs] = [left && labelsOf(left), right && labelsOf(right)];
    if (ours === undefined || theirs === undefined) return ours ?? theirs;
    if (node.getChild('Or')) return new Set([...ours, ...theirs]);
    const modifier = node.getChild('MatchingModifierClause');
    const [names = [], more = []] = (modifier?.getChildren('GroupingLabels') ?? []).map(labelNames);
    if (modifier?.getChild('On')) {
      for (const name of names) {
        need(ours, name, node);
        need(theirs, name, node);
      }
    } else {
      const ignored = modifier?.getChild('Ignoring') ? names : [];
      const odd = [...ours, ...theirs].filter((name) => ours.has(name) !== theirs.has(name) && !ignored.includes(name));
      if (odd.length > 0) faults.push(`the sides of ${words(node)} never match: only one has ${[...new Set(odd)].join(', ')}`);
    }
    if (node.getChild('And') || node.getChild('Unless')) return ours;
    if (modifier?.getChild('GroupLeft')) return new Set([...ours, ...more]);
    if (modifier?.getChild('GroupRight')) return new Set([...theirs, ...more]);
    return modifier?.getChild('On') ? new Set(names) : ours;
  }

  const labelNames = (node: SyntaxNode) => node.getChildren('LabelName').map(words);
  const groupingOf = (modifier: SyntaxNode | null) => (modifier?.getChildren('GroupingLabels') ?? []).flatMap(labelNames);

  const top = parser.parse(query).topNode;
  const broken = findBroken(top);
  if (broken) return { faults: [`no PromQL at "${query.slice(broken.from, broken.from + 20)}"`], labels: new Set() };
  const labels = labelsOf(top);
  return { faults: [...new Set(faults)], labels };
}

/** Grafana fills these in; for the check any value will do. */
export const withoutVariables = (query: string) =>
  query.replaceAll('$__rate_interval', '5m').replaceAll('$__range', '1h').replaceAll('$__interval', '1m');

const expressions = new Set([
  'AggregateExpr',
  'BinaryExpr',
  'FunctionCall',
  'MatrixSelector',
  'NumberDurationLiteral',
  'OffsetExpr',
  'ParenExpr',
  'StepInvariantExpr',
  'StringLiteral',
  'SubqueryExpr',
  'UnaryExpr',
  'VectorSelector',
]);
const isExpression = (node: SyntaxNode) => expressions.has(node.name);

function childrenOf(node: SyntaxNode | null): SyntaxNode[] {
  const children: SyntaxNode[] = [];
  for (let child = node?.firstChild ?? null; child; child = child.nextSibling) children.push(child);
  return children;
}

function findBroken(top: SyntaxNode): SyntaxNode | undefined {
  let broken: SyntaxNode | undefined;
  top.cursor().iterate((node) => {
    if (node.type.isError) broken ??= node.node;
  });
  return broken;
}
