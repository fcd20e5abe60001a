import { calls, type Traffic } from '../deploy/traffic.ts';

/** What is promised of a kind of route, over 30 days. */
export interface Objective {
  /** Whom it is for and why so much. */
  why: string;
  /** Of all requests, how many may fail. */
  failuresMax: number;
  /** Of all requests, how many may take longer; a boundary of the histograms. Absent where nobody waits. */
  slow?: { overSeconds: number; max: number };
}

export const objectives = {
  till: {
    why: 'A cashier and a customer wait, and half a second is noticed.',
    failuresMax: 0.001,
    slow: { overSeconds: 0.5, max: 0.01 },
  },
  card: {
    why: 'A customer enters a PIN, or the acquirer thinks; 10 s is when people begin to put the card in again.',
    failuresMax: 0.001,
    slow: { overSeconds: 10, max: 0.05 },
  },
  lookup: {
    why: 'Stock is asked while talking to a customer, and by the web shop for every page.',
    failuresMax: 0.001,
    slow: { overSeconds: 0.1, max: 0.01 },
  },
  desk: { why: 'Operators, imports and witnesses: they come back.', failuresMax: 0.01 },
  mesh: { why: 'What only the mesh saw: calls that did not arrive, or met a service that was not there.', failuresMax: 0.001 },
} satisfies Record<string, Objective>;

export type ObjectiveName = keyof typeof objectives;
export const objectiveNames = Object.keys(objectives) as ObjectiveName[];
export const objectiveOf = (name: ObjectiveName): Objective => objectives[name];

const usual: Record<string, ObjectiveName> = { sales: 'till', payments: 'till', inventory: 'till', 'stock-lookup': 'lookup' };

/** Where a route is not as its service usually is: by the beginning of its path, or the name of a gRPC method. Streams have no duration. */
const exceptions: { service?: string; calls: string[]; objective: ObjectiveName | 'none' }[] = [
  { calls: ['/v1/imports', '/v1/audit', '/v1/log-level', '/v1/checkouts', '/v1/unknown-payments'], objective: 'desk' },
  { service: 'sales', calls: ['/v1/sales/{id}/complete'], objective: 'card' },
  {
    service: 'payments',
    calls: ['confirm', 'capture', 'cancel', 'refunds'].map((act) => `/v1/payment-intents/{intentId}/${act}`),
    objective: 'card',
  },
  { service: 'payments', calls: ['Authorise', 'Capture', 'Purchase', 'Cancel', 'Refund'], objective: 'card' },
  { service: 'inventory', calls: ['Snapshot', 'StreamChanges'], objective: 'none' },
];

/** One thing that can be called, by the label values a service counts it under. */
export interface Route {
  service: string;
  view: 'http' | 'grpc';
  objective: ObjectiveName;
  /** As in the label `route` of HTTP (`/v1/sales/:id`) or `method` of gRPC (`kassa.sales.v1.SalesService/GetSale`). */
  label: string;
}

/** Every route and method that runs in a country and has an objective. Routes of one path share theirs, whatever the verb. */
export function routesOf(traffic: Traffic): Route[] {
  const all = calls(traffic).flatMap(({ service, port, name, only }): Route[] => {
    const path = port === 'http' ? (name.split(' ')[1] ?? '') : name;
    const objective = objectiveFor(service, path);
    if (only !== undefined || objective === 'none') return [];
    return [{ service, view: port, objective, label: port === 'http' ? httpLabel(path) : grpcLabel(traffic, service, name) }];
  });
  return [...new Map(all.map((route) => [JSON.stringify(route), route])).values()];
}

/** Names of the GRPCRoutes of streams: they have no end that could be counted. */
export function streamRoutes(traffic: Traffic): string[] {
  return calls(traffic)
    .filter(({ service, port, name }) => port === 'grpc' && objectiveFor(service, name) === 'none')
    .map(({ service, name }) => `${service}-grpc-${name.replace(/(?<=.)([A-Z])/g, '-$1').toLowerCase()}`);
}

function objectiveFor(service: string, call: string): ObjectiveName | 'none' {
  const isMeant = (begin: string) => call === begin || call.startsWith(`${begin}/`);
  const exception = exceptions.find((one) => (one.service ?? service) === service && one.calls.some(isMeant));
  return exception?.objective ?? usual[service] ?? 'till';
}

/** As @kassa/http writes a path: `{id}` is `:id`. */
const httpLabel = (path: string) => path.replace(/\{(\w+)\}/g, ':$1');
const grpcLabel = (traffic: Traffic, service: string, method: string) => `${traffic.services[service]?.grpc?.service}/${method}`;
