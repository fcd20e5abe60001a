import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { format, resolveConfig } from 'prettier';
import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../src/deploy/objects.ts';
import { parseWaves, soakMs, type Gate } from '../src/deploy/waves.ts';
import { diffObjects } from '../src/rollout/diff.ts';
import { askGates, judgeGate } from '../src/rollout/gates.ts';
import { prometheusAt, type Series } from '../src/rollout/prometheus.ts';
import { checked, parseRelease, parseWave, releaseNames, waveFile, type WaveState } from '../src/rollout/release.ts';
import { hours, judgeSoak } from '../src/rollout/soak.ts';

describe('A soak time', () => {
  const plan = (soak: string) => `
gates: { success: { why: because, query: up, atLeast: 1 } }
waves:
  - { name: no-pilot, country: no, track: pilot, shops: [no-001], from: build, soak: ${soak}, gates: [success] }`;

  test.each([
    ['90m', 5_400_000],
    ['4h', 14_400_000],
    ['72h', 259_200_000],
    ['3d', 259_200_000],
  ])('of %s is %i ms', (soak, ms) => {
    expect(soakMs(parseWaves(plan(soak)).waves[0]?.soak ?? '')).toBe(ms);
  });

  test.each(['0h', '1.5h', '4 h', '4', 'h', '-4h', '30s', '1h30m', '""'])('is never %s', (soak) => {
    expect(() => parseWaves(plan(soak))).toThrow('deploy/releases/waves.yaml cannot be used.');
  });

  test.each([
    [0, '0 min'],
    [59 * 60_000, '59 min'],
    [3_600_000, '1 h'],
    [73.2 * 3_600_000, '73 h 12 min'],
  ])('of %i ms is told as %s', (ms, words) => {
    expect(hours(ms)).toBe(words);
  });
});

describe('A plan', () => {
  const wave = (name: string, from: string, gate = 'success') => {
    const [country, track] = name.split('-');
    return `\n  - { name: ${name}, country: ${country}, track: ${track}, shops: all, from: ${from}, soak: 1h, gates: [${gate}] }`;
  };
  const plan = (...waves: string[]) => `gates: { success: { why: because, query: up, atLeast: 1 } }\nwaves:${waves.join('')}`;
  const faults = (text: string) => {
    try {
      parseWaves(text);
      return '';
    } catch (error) {
      return (error as { details: string }).details;
    }
  };

  test.each([
    ['in order', plan(wave('dk-pilot', 'build'), wave('dk-full', 'dk-pilot')), ''],
    [
      'that copies from a later wave',
      plan(wave('dk-pilot', 'dk-full'), wave('dk-full', 'build')),
      'dk-pilot: copies from dk-full, which is neither build nor a wave before it',
    ],
    [
      'with a gate that is not there',
      plan(wave('dk-pilot', 'build', 'speed')),
      'dk-pilot: asks the gate speed, which is not there',
    ],
    ['with a wave twice', plan(wave('dk-pilot', 'build'), wave('dk-pilot', 'build')), 'dk-pilot: is there twice'],
    [
      'with a wave under another name',
      plan(wave('dk-pilot', 'build').replace('name: dk-pilot', 'name: denmark')),
      'denmark: is dk pilot, so its name is dk-pilot',
    ],
  ])('%s has these faults', (_, text, expected) => {
    expect(faults(text)).toBe(expected);
  });
});

describe('A gate', () => {
  const success: Gate = { why: 'because', query: 'up', atLeast: 0.999 };
  const denied: Gate = { why: 'because', query: 'up', atMost: 0 };
  const answer = (...values: string[]): Series[] => values.map((value) => ({ labels: {}, points: [[0, value]] }));

  test.each<[string, Gate, Series[] | string, string, string]>([
    ['at its lower bound', success, answer('0.999'), 'green', '0.999, at least 0.999'],
    ['below it', success, answer('0.99899'), 'red', '0.999, at least 0.999'],
    ['at its upper bound', denied, answer('0'), 'green', '0, at most 0'],
    ['above it', denied, answer('0.5'), 'red', '0.5, at most 0'],
    ['that answers nothing', denied, [], 'silent', 'answers nothing, and silence proves nothing'],
    ['that answers NaN', success, answer('NaN'), 'silent', 'answers NaN, which is no number to judge'],
    ['that answers infinity', success, answer('+Inf'), 'silent', 'answers +Inf, which is no number to judge'],
    ['that answers twice', success, answer('1', '1'), 'silent', 'answers 2 series, and a gate is one number'],
    ['that cannot be asked', success, 'cannot be reached', 'silent', 'cannot be reached'],
  ])('%s', (_, gate, given, verdict, words) => {
    expect(judgeGate(gate, given)).toEqual({ verdict, words });
  });

  test('is asked in its own namespace', async () => {
    const asked: string[] = [];
    const prometheus = {
      address: 'http://here',
      query: (promql: string) => Promise.resolve((asked.push(promql), answer('0'))),
      range: () => Promise.resolve([]),
    };
    const gates = { denied: { ...denied, query: 'a{namespace="$namespace"} + b{namespace="$namespace"}' } };
    await askGates(prometheus, { wave: 'no-full', gates, namespace: 'kassa-no', at: new Date(0) });
    expect(asked).toEqual(['a{namespace="kassa-no"} + b{namespace="kassa-no"}']);
  });
});

describe('A Prometheus', () => {
  const vector = (warnings: string[]) => ({
    status: 'success',
    warnings,
    data: { resultType: 'vector', result: [{ metric: { service: 'sales' }, value: [7, '0.5'] }] },
  });
  const answers = { labels: { service: 'sales' }, points: [[7, '0.5']] };

  async function asked(reply: string, token = 'known'): Promise<unknown> {
    const server = createServer((request, response) => {
      if (request.headers.authorization !== 'Bearer known') response.statusCode = 401;
      response.end(reply);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    try {
      return await prometheusAt(address, token).query('up', new Date(0));
    } catch (error) {
      return (error as Error).message.replace(address, 'It');
    } finally {
      server.close();
      server.closeAllConnections();
    }
  }

  test.each<[string, string, unknown]>([
    ['that answers', JSON.stringify(vector([])), [answers]],
    ['that remarks on the query', JSON.stringify(vector(['PromQL info: input needed to be fixed'])), [answers]],
    ['that knows the half only', JSON.stringify(vector(['store away'])), 'It answers with a warning: store away'],
    ['that refuses the query', JSON.stringify({ status: 'error', error: 'parse error' }), 'It says parse error'],
    ['that is a page', '<html>', 'It does not answer as Prometheus does'],
    ['that is something else', '{}', 'It says what Prometheus never says'],
  ])('%s', async (_, reply, expected) => {
    expect(await asked(reply)).toEqual(expected);
  });

  test('that does not know the token says which setting is wrong', async () => {
    expect(await asked('', 'strange')).toBe('It lets nobody in without a token it knows, in KASSA_PROMETHEUS_TOKEN');
  });

  test('has an address that is one', () => {
    expect(() => prometheusAt('somewhere')).toThrow('somewhere is no address of a Prometheus; say it as http://host:9090.');
  });
});

describe('A soak', () => {
  const [ours, theirs] = ['a'.repeat(40), 'b'.repeat(40)];
  const minutes = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => (from + n) * 60);
  const seen = (service: string, times: number[], commit = ours): Series => ({
    labels: { service, commit },
    points: times.map((time) => [time, '1']),
  });
  const all = ['inventory', 'payments', 'sales', 'stock-lookup'];
  const everywhere = (times: number[]) => all.map((service) => seen(service, times));
  const reached = 'has run it for at least 1 h, 1 h are asked';

  test.each<[string, Series[], boolean, string]>([
    ['of an hour', everywhere(minutes(60, 120)), true, reached],
    ['of a minute less', everywhere(minutes(61, 120)), false, 'has run it for 59 min, 1 h are asked'],
    ['with a hole that is made up for', everywhere([...minutes(30, 79), ...minutes(110, 120)]), true, reached],
    [
      'with a hole that is not',
      everywhere([...minutes(60, 79), ...minutes(110, 120)]),
      false,
      'has run it for 30 min, 1 h are asked',
    ],
    [
      'that other code broke begins anew',
      [...everywhere(minutes(0, 120)), seen('payments', [100 * 60], theirs)],
      false,
      'has run it for 19 min, 1 h are asked',
    ],
    [
      'beside other code does not count',
      [...everywhere(minutes(0, 120)), seen('sales', [120 * 60], theirs)],
      false,
      'other code still runs: sales at bbbbbbbb',
    ],
    ['that a service left', everywhere(minutes(0, 120)).slice(1), false, 'inventory is not seen running it'],
    ['that ended an hour ago', everywhere(minutes(0, 60)), false, `${all.join(', ')} are not seen running it`],
    ['of nothing', [], false, `${all.join(', ')} are not seen running it`],
  ])('%s', (_, series, isReached, words) => {
    const judged = judgeSoak(series, { commit: ours, neededMs: 3_600_000, from: 0, to: 120 * 60, step: 60 });
    expect([judged.isReached, judged.words]).toEqual([isReached, words]);
  });
});

describe('What changes', () => {
  const deployment = (spec: object): KubeObject => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'sales', namespace: 'kassa-no' },
    spec,
  });
  const containers = (...entries: object[]) => deployment({ template: { spec: { containers: entries } } });
  const path = 'spec.template.spec.containers';
  const changed = (field: string, before: string | undefined, after: string | undefined) => [
    { object: 'Deployment/sales', what: 'changed', fields: [{ path: field, before, after }] },
  ];

  test.each<[string, KubeObject[], KubeObject[], unknown]>([
    ['is nothing', [deployment({ a: [1] })], [deployment({ a: [1] })], []],
    ['is an object that comes', [], [deployment({})], [{ object: 'Deployment/sales', what: 'added', fields: [] }]],
    ['is an object that goes', [deployment({})], [], [{ object: 'Deployment/sales', what: 'removed', fields: [] }]],
    [
      'is a field',
      [deployment({ minReadySeconds: 5 })],
      [deployment({ minReadySeconds: 6 })],
      changed('spec.minReadySeconds', '5', '6'),
    ],
    ['is a field that comes', [deployment({})], [deployment({ paused: true })], changed('spec.paused', undefined, 'true')],
    [
      'is in a container, by its name and not by its place',
      [containers({ name: 'app', image: 'a' })],
      [containers({ name: 'proxy' }, { name: 'app', image: 'b' })],
      [
        {
          object: 'Deployment/sales',
          what: 'changed',
          fields: [
            { path: `${path}[app].image`, before: 'a', after: 'b' },
            { path: `${path}[proxy]`, before: undefined, after: '{"name":"proxy"}' },
          ],
        },
      ],
    ],
    [
      'is in a list without names, by its place',
      [deployment({ args: ['a', 'b'] })],
      [deployment({ args: ['a', 'c'] })],
      changed('spec.args[1]', 'b', 'c'),
    ],
  ])('%s', (_, before, after, expected) => {
    expect(diffObjects(before, after)).toEqual(expected);
  });
});

describe('A wave’s file', () => {
  const images = (digit: string) =>
    Object.fromEntries(releaseNames.map((name) => [name, `registry.example:5000/kassa/${name}@sha256:${digit.repeat(64)}`]));
  const state: WaveState = {
    // Digits alone, which YAML would take for a number.
    release: { commit: '1'.repeat(40), images: images('1') },
    from: 'dk-full',
    writtenAt: new Date('2026-11-22T21:47:19Z'),
    previous: { commit: '0'.repeat(40), images: images('0') },
    rolledBack: `${'5'.repeat(39)}e`,
  };

  test('says what was written, with the way back, and nothing is lost', () => {
    expect(parseWave('no-full', waveFile('no-full', state))).toEqual(state);
  });

  test('has an entry for every image that the bases run', () => {
    const base = new URL('../../deploy/base/', import.meta.url);
    const files = readdirSync(base, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.yaml'));
    const text = files.map((file) => readFileSync(new URL(file, base), 'utf8')).join('\n');
    expect(releaseNames.toSorted()).toEqual(
      [...text.matchAll(/image: unreleased\.invalid\/(.+)/g)].map(([, name]) => name).sort(),
    );
  });

  test('is as Prettier would write it', async () => {
    const text = waveFile('no-full', state);
    expect(await format(text, { ...(await resolveConfig(import.meta.filename)), parser: 'yaml' })).toBe(text);
  });

  test('of a wave that was never promoted has no release', () => {
    expect(parseWave('no-full', 'kind: Component\nimages: []\n')).toEqual({
      release: undefined,
      from: undefined,
      writtenAt: undefined,
      previous: undefined,
      rolledBack: undefined,
    });
  });

  test.each<[string, Record<string, string>, string]>([
    ['a service', { sales: '' }, 'sales is , and must be registry/path@sha256:… without a tag.'],
    ['a tag', { sales: 'registry.example/sales:1' }, 'sales is registry.example/sales:1, and must be'],
    ['a tag beside the digest', { sales: `registry.example/sales:1@sha256:${'1'.repeat(64)}` }, 'without a tag.'],
    ['a short digest', { sales: 'registry.example/sales@sha256:123' }, 'without a tag.'],
    [
      'a stranger',
      { acquirer: `registry.example/acquirer@sha256:${'1'.repeat(64)}` },
      'It names acquirer, which no overlay runs.',
    ],
  ])('is not made from a release with %s', (_, more, fault) => {
    const refused = () => checked('The build', { commit: '1'.repeat(40), images: { ...images('1'), ...more } });
    expect(refused).toThrow(expect.objectContaining({ details: expect.stringContaining(fault) as string }) as Error);
  });

  test('is not made from half a slice, nor from half a commit', () => {
    const { sales: _, ...rest } = images('1');
    const refused = () => checked('The build', { commit: '1f2e', images: rest });
    const details = 'It lacks sales; a release is the whole slice.\nThe commit 1f2e is not 40 hexadecimal digits.';
    expect(refused).toThrow(expect.objectContaining({ details }) as Error);
  });

  test('can be made from JSON as well as from lines', () => {
    const lines = `commit: ${'1'.repeat(40)}\n${Object.entries(images('1'))
      .map((pair) => pair.join(': '))
      .join('\n')}`;
    const json = JSON.stringify({ commit: '1'.repeat(40), ...images('1') });
    expect(parseRelease(json)).toEqual(parseRelease(lines));
    expect(parseRelease(lines)).toEqual({ commit: '1'.repeat(40), images: images('1') });
  });
});
