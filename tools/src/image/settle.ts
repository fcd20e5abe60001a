import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Failure } from '../failure.ts';
import { docker, inspectImage, pipe } from './docker.ts';

/** An image in the archive of docker save: files of the archive, and its names. */
interface Saved {
  Config: string;
  RepoTags: string[];
  Layers: string[];
}

/** The parts of an image's configuration (OCI image specification) that say what it is, and not when and where it was built. */
interface Configuration {
  architecture: string;
  os: string;
  config: Record<string, unknown>;
  rootfs: { type: string; diff_ids: string[] };
  history?: { created_by?: string; empty_layer?: boolean }[];
}
const lasting = ['User', 'ExposedPorts', 'Env', 'Entrypoint', 'Cmd', 'WorkingDir', 'Labels'];

/**
 * Takes the time and the builder out of images: every file of the layers above the base gets `epoch`, in seconds, and so does each image
 * itself, so that the same content has the same digest whenever and by whichever builder it was made. Docker's own builder knows no
 * SOURCE_DATE_EPOCH, and BuildKit rewrites times in some of its exporters only. Returns the digests, by which Docker then knows the images.
 */
export async function settle(images: string[], base: string, epoch: number): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'kassa-image-'));
  try {
    const built = images.map((image) => inspectImage(image).Id);
    await pipe(['docker', 'save', ...images], ['tar', '-xf', '-', '-C', folder]);
    const saved = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Saved[];
    const ofBase = inspectImage(base).RootFS.Layers.length;
    const settled = new Map<string, string>();
    const digestOf = (layer: string) => {
      const digest = settled.get(layer) ?? settleLayer(join(folder, layer), epoch);
      settled.set(layer, digest);
      return digest;
    };
    const manifest = saved.map(({ Config, RepoTags, Layers }) => {
      const configuration = JSON.parse(readFileSync(join(folder, Config), 'utf8')) as Configuration;
      const diffIds = Layers.map((layer, index) =>
        index < ofBase ? (configuration.rootfs.diff_ids[index] ?? '') : digestOf(layer),
      );
      const text = JSON.stringify(settledConfiguration(configuration, diffIds, epoch));
      const file = `${createHash('sha256').update(text).digest('hex')}.json`;
      writeFileSync(join(folder, file), text);
      return { Config: file, RepoTags, Layers };
    });
    writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest));
    const parts = new Set(manifest.flatMap(({ Config, Layers }) => [Config, ...Layers]));
    await pipe(['tar', '-cf', '-', '-C', folder, 'manifest.json', ...parts], ['docker', 'load', '--quiet']);
    const ids = images.map((image) => inspectImage(image).Id);
    const replaced = built.filter((id) => !ids.includes(id));
    if (replaced.length > 0) docker(['rmi', '--no-prune', ...replaced]);
    return ids;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function settledConfiguration({ architecture, os, config, rootfs, history }: Configuration, diffIds: string[], epoch: number) {
  const created = new Date(epoch * 1000).toISOString();
  return {
    architecture,
    os,
    created,
    config: Object.fromEntries(lasting.map((name) => [name, config[name] ?? undefined])),
    rootfs: { type: rootfs.type, diff_ids: diffIds },
    history: (history ?? []).map(({ created_by, empty_layer }) => ({
      created,
      ...(created_by && { created_by }),
      ...(empty_layer && { empty_layer }),
    })),
  };
}

const block = 512;

/** Gives every entry of a layer the same time, in place, and returns the digest of what it is then. */
function settleLayer(path: string, epoch: number): string {
  const raw = readFileSync(path);
  const tar = raw[0] === 0x1f && raw[1] === 0x8b ? gunzipSync(raw) : raw;
  const time = `${epoch.toString(8).padStart(11, '0')}\0`;
  for (let at = 0; at + block <= tar.length && tar[at] !== 0;) {
    const size = parseInt(tar.toString('latin1', at + 124, at + 136), 8);
    const type = String.fromCharCode(tar[at + 156] ?? 0);
    if (type === 'x' && / mtime=/.test(tar.toString('latin1', at + block, at + block + size)))
      throw new Failure(`${path} has times in extended headers; build with Docker's own builder or BuildKit's defaults.`);
    tar.write(time, at + 136, 'latin1');
    tar.write('        ', at + 148, 'latin1');
    const sum = tar.subarray(at, at + block).reduce((total, byte) => total + byte, 0);
    tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148, 'latin1');
    at += block + Math.ceil(size / block) * block;
  }
  writeFileSync(path, tar);
  return `sha256:${createHash('sha256').update(tar).digest('hex')}`;
}
