import { Failure } from './failure.ts';
import { perService, serviceNames, type ServiceName } from './services.ts';
import { readSystem, type System } from './system.ts';

/** A Kassa to be loaded or checked: one on this machine, or one that addresses in the environment name. */
export interface Target {
  /** Of each service's public HTTP API, without a slash at the end. Empty for an acquirer that is not ours to ask. */
  urls: Record<ServiceName, string>;
  /** Where the client asks for tokens of persons. */
  issuer: { tokenUrl: string; clientId: string; clientSecret: string };
  /** With which the acquirer's ledger is read; undefined where it is not ours to read. */
  acquirerApiKey: string | undefined;
  /** With which a service is crashed and started again; undefined for a Kassa elsewhere. */
  control: System['control'] | undefined;
}

export const targetHelp = `  Another Kassa than the one npm start runs here:
  KASSA_URL=https://…        its ingress, where the services are at /sales, /payments, /inventory, /stock-lookup
  KASSA_SALES_URL, KASSA_PAYMENTS_URL, KASSA_INVENTORY_URL, KASSA_STOCK_LOOKUP_URL
                             one service each, before KASSA_URL
  KASSA_TOKEN_URL, KASSA_CLIENT_ID, KASSA_CLIENT_SECRET
                             its token issuer, and a client that may ask for tokens of persons
  KASSA_ACQUIRER_URL, KASSA_ACQUIRER_API_KEY
                             its simulated acquirer, if it has one`;

const variableOf = (name: ServiceName) => `KASSA_${name.toUpperCase().replace('-', '_')}_URL`;

/** The Kassa the environment names, or else the one npm start runs. Throws Failure where neither is there. */
export function targetOf(env: NodeJS.ProcessEnv): Target {
  const isElsewhere = env['KASSA_URL'] !== undefined || serviceNames.some((name) => env[variableOf(name)] !== undefined);
  return isElsewhere ? elsewhere(env) : onThisMachine(readSystem(env));
}

export function onThisMachine(system: System): Target {
  const { tokenUrl, clientId, clientSecret } = system.issuer;
  return {
    urls: perService((name) => system.services[name].http),
    issuer: { tokenUrl, clientId, clientSecret },
    acquirerApiKey: system.services.acquirer.env['API_KEY'],
    control: system.control,
  };
}

function elsewhere(env: NodeJS.ProcessEnv): Target {
  const ingress = env['KASSA_URL'];
  const urls = perService((name) => {
    const url = env[variableOf(name)] ?? (ingress && name !== 'acquirer' ? `${ingress.replace(/\/$/, '')}/${name}` : '');
    if (url === '' && name !== 'acquirer') throw new Failure(`Where is ${name}? Set KASSA_URL, or ${variableOf(name)}.`);
    if (url !== '' && !URL.canParse(url)) throw new Failure(`"${url}" is no address for ${name}.`);
    return url.replace(/\/$/, '');
  });
  const needed = (variable: string) => {
    const value = env[variable];
    if (!value) throw new Failure(`A Kassa elsewhere needs ${variable} as well, to ask for tokens.`);
    return value;
  };
  return {
    urls,
    issuer: {
      tokenUrl: needed('KASSA_TOKEN_URL'),
      clientId: needed('KASSA_CLIENT_ID'),
      clientSecret: needed('KASSA_CLIENT_SECRET'),
    },
    acquirerApiKey: env['KASSA_ACQUIRER_API_KEY'],
    control: undefined,
  };
}

/** The target as the environment of a load test. Secrets travel here and not on the command line, which everybody may read. */
export function environmentOf({ urls, issuer, control }: Target): Record<string, string> {
  return {
    ...Object.fromEntries(serviceNames.map((name) => [variableOf(name), urls[name]])),
    KASSA_TOKEN_URL: issuer.tokenUrl,
    KASSA_CLIENT_ID: issuer.clientId,
    KASSA_CLIENT_SECRET: issuer.clientSecret,
    ...(control ? { KASSA_CONTROL_URL: control.url, KASSA_CONTROL_TOKEN: control.token } : {}),
  };
}
