import { existsSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { Failure, runCommand } from './failure.ts';

/** npm packages stay outside the bundle, since telemetry patches the real modules; our own workspace goes into it. */
const workspaceOnly: Plugin = {
  name: 'workspace-only',
  setup({ onResolve }) {
    onResolve({ filter: /^[^./]/ }, ({ kind, path }) =>
      kind === 'entry-point' || path.startsWith('@kassa/') ? undefined : { path, external: true },
    );
  },
};

/**
 * Bundles the service in `folder` into dist/main.js and dist/telemetry.js, which runs as
 * `node --enable-source-maps --import ./dist/telemetry.js dist/main.js`. What both need is in one shared chunk, so that the metrics
 * telemetry.js collects are the ones main.js serves. Returns the bytes of all chunks.
 */
export async function bundle(folder: string): Promise<number> {
  const entries = ['src/main.ts', 'src/telemetry.ts'];
  const missing = entries.find((entry) => !existsSync(join(folder, entry)));
  if (missing !== undefined) throw new Failure(`${folder} has no ${missing}, so there is nothing to build.`);
  rmSync(join(folder, 'dist'), { recursive: true, force: true });
  const { metafile } = await build({
    absWorkingDir: folder,
    entryPoints: entries,
    outdir: 'dist',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    sourcemap: true,
    metafile: true,
    plugins: [workspaceOnly],
    logLevel: 'warning',
  });
  return Object.entries(metafile.outputs).reduce((sum, [file, { bytes }]) => (file.endsWith('.js') ? sum + bytes : sum), 0);
}

if (import.meta.main) {
  await runCommand(async () => {
    const folder = process.cwd();
    const bytes = await bundle(folder);
    console.log(`${basename(folder)}: ${Math.round(bytes / 1024)} kB in dist/`);
  });
}
