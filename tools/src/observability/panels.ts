import {
  DashboardBuilder,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableHide,
  VariableRefresh,
  type Dashboard,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as LinesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

/** A chart as a person thinks of it. */
export interface Chart {
  title: string;
  /** What it means and what to do when it is bad; shown on hover. */
  why?: string;
  /** Grafana's name of the unit: s, percentunit, reqps, bytes, short. */
  unit: string;
  /** By the legend of each query; `{{label}}` is filled in. */
  queries: Record<string, string>;
  /** Above it is bad: the objective, or the threshold of an alert. */
  limit?: number;
  /** One number instead of lines. */
  isNumber?: true;
}

export interface Page {
  uid: string;
  title: string;
  description: string;
  /** Browser time for engineers; a shop floor has its own clock. */
  timeZone: string;
  /** Query that answers the namespaces to choose from. */
  namespaces: { query: string; pattern?: string };
  rows: Record<string, Chart[]>;
}

const width = { number: 4, lines: 8 };
const source = { type: 'prometheus', uid: '$datasource' };

/** The page as Grafana reads it. Rows and charts keep their order; ids are given in it, so that a rendering is the same each time. */
export function dashboard(page: Page): Dashboard {
  const builder = new DashboardBuilder(page.title)
    .uid(page.uid)
    .description(page.description)
    .tags(['kassa'])
    .timezone(page.timeZone)
    .refresh('1m')
    .time({ from: 'now-6h', to: 'now' })
    .withVariable(new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'))
    .withVariable(namespaceVariable(page.namespaces))
    .link(new DashboardLinkBuilder('Kassa').type(DashboardLinkType.Dashboards).tags(['kassa']).asDropdown(true).keepTime(true));
  for (const [title, charts] of Object.entries(page.rows)) {
    builder.withRow(new RowBuilder(title));
    for (const chart of charts) builder.withPanel(panel(chart));
  }
  const built = builder.build();
  built.panels?.forEach((made, index) => (made.id = index + 1));
  return built;
}

function namespaceVariable({ query, pattern }: Page['namespaces']) {
  const variable = new QueryVariableBuilder('namespace')
    .label('Namespace')
    .datasource(source)
    .query(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .multi(true)
    .includeAll(true)
    .hide(VariableHide.DontHide);
  return pattern === undefined ? variable : variable.regex(pattern);
}

function panel({ title, why, unit, queries, limit, isNumber }: Chart) {
  const builder = isNumber
    ? new StatBuilder().span(width.number).height(5)
    : new LinesBuilder().span(width.lines).height(8).lineWidth(1).fillOpacity(5);
  builder.title(title).unit(unit).min(0).datasource(source);
  if (why !== undefined) builder.description(why);
  if (limit !== undefined) {
    const steps = [
      { value: null, color: 'green' },
      { value: limit, color: 'red' },
    ];
    builder.thresholds(new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps));
  }
  for (const [index, [legend, expr]] of Object.entries(queries).entries()) {
    const query = new DataqueryBuilder()
      .refId(String.fromCharCode(65 + index))
      .expr(expr)
      .legendFormat(legend)
      .datasource(source);
    builder.withTarget(isNumber ? query.instant() : query.range());
  }
  return builder;
}
