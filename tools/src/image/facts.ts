import { docker, inspectImage, pipe } from './docker.ts';

/** What an image is, as its container would be. */
export interface ImageReport {
  name: string;
  digest: string;
  bytes: number;
  files: number;
  user: string;
  /** What it must not be, in words; empty where all is well. */
  faults: string[];
}

export const bytesMax = 250 * 2 ** 20;
/** What whoever gets in would look for first: shells, and programs that fetch and install others. */
const tools =
  /(^|\/)(ba|da|a|z|k|c|tc|fi)?sh$|(^|\/)(busybox|apt|apt-get|dpkg|rpm|dnf|yum|apk|npm|npx|yarn|pnpm|corepack|pip|curl|wget)$/;
const labels = ['title', 'version', 'revision', 'vendor', 'base.name'].map((name) => `org.opencontainers.image.${name}`);

/** Looks at every file of an image, the base's too, and at what it starts as. */
export async function reportOn(name: string): Promise<ImageReport> {
  const { Id, Config } = inspectImage(name);
  const entries = await listOf(name);
  const plain = entries.filter(({ mode }) => mode.startsWith('-'));
  const bytes = plain.reduce((sum, { size }) => sum + size, 0);
  const missing = labels.filter((label) => !Config.Labels?.[label]);
  const foreign = entries.filter(({ path }) =>
    /query_(compiler|engine)\w*\.(cockroachdb|mysql|sqlite|sqlserver)\.|libquery_engine|schema-engine-(debian|linux|darwin|rhel|windows)/.test(
      path,
    ),
  );
  const privileged = plain.filter(({ mode }) => /s/i.test(mode.slice(1)));
  const faults = [
    bytes >= bytesMax && `holds ${Math.round(bytes / 2 ** 20)} MiB`,
    !/^[1-9]\d{4,}:[1-9]\d{4,}$/.test(Config.User) && `starts as user ${Config.User || 'root'}`,
    ...entries.filter(({ path, mode }) => tools.test(path) && !mode.startsWith('d')).map(({ path }) => `holds ${path}`),
    ...foreign.map(({ path }) => `holds a foreign engine, ${path}`),
    ...privileged.map(({ path }) => `holds ${path}, which changes its user`),
    missing.length > 0 && `has no label ${missing.join(', ')}`,
  ];
  const found = faults.filter((fault) => fault !== false);
  return { name, digest: Id, bytes, files: plain.length, user: Config.User, faults: found };
}

interface Entry {
  mode: string;
  size: number;
  path: string;
}

/** The files of an image as `tar -tv` lists them; the engine lays a few of its own into a container, none with content. */
async function listOf(name: string): Promise<Entry[]> {
  const container = docker(['create', '--network', 'none', name]);
  try {
    return parse(await pipe(['docker', 'export', container], ['tar', '-tv']));
  } finally {
    docker(['rm', container]);
  }
}

function parse(listed: string): Entry[] {
  return listed.split('\n').flatMap((line) => {
    const [, mode = '', size = '0', path = ''] = /^(\S+)\s+\S+\s+(\d+)\s+\S+\s+\S+\s+(.*)$/.exec(line) ?? [];
    return mode === '' ? [] : [{ mode, size: Number(size), path: path.replace(/ (->|link to) .*$/, '') }];
  });
}
