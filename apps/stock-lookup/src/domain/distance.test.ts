import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { byDistance, distanceM, parseDistanceM, parsePlace, type Place } from './distance.ts';

const cities = {
  copenhagen: { latitude: 55.6761, longitude: 12.5683 },
  malmö: { latitude: 55.605, longitude: 13.0038 },
  oslo: { latitude: 59.9139, longitude: 10.7522 },
  bergen: { latitude: 60.3913, longitude: 5.3221 },
  helsinki: { latitude: 60.1699, longitude: 24.9384 },
  reykjavik: { latitude: 64.1466, longitude: -21.9426 },
  nuuk: { latitude: 64.1814, longitude: -51.6941 },
  tórshavn: { latitude: 62.0079, longitude: -6.79 },
};

describe('distanceM', () => {
  // Kilometres on the ellipsoid of WGS 84 (Vincenty's inverse formula), to which a sphere comes within half a percent.
  it.each([
    ['copenhagen', 'malmö', 28.54],
    ['oslo', 'bergen', 306.16],
    ['copenhagen', 'oslo', 484.13],
    ['copenhagen', 'helsinki', 885.43],
    ['copenhagen', 'reykjavik', 2_113.72],
    ['reykjavik', 'nuuk', 1_434.06],
    ['tórshavn', 'copenhagen', 1_313.91],
  ] as const)('%s to %s is about %f km', (from, to, km) => {
    expect(Math.abs(distanceM(cities[from], cities[to]) / 1_000 / km - 1)).toBeLessThan(0.005);
  });

  it.each([
    ['the same place', { latitude: 55, longitude: 12 }, { latitude: 55, longitude: 12 }, 0],
    ['the other side of the earth', { latitude: 0, longitude: 0 }, { latitude: 0, longitude: 180 }, 20_015_114],
    ['pole to pole', { latitude: 90, longitude: 0 }, { latitude: -90, longitude: 77 }, 20_015_114],
    ['a degree along the equator', { latitude: 0, longitude: 179.5 }, { latitude: 0, longitude: -179.5 }, 111_195],
  ])('%s', (_what, from, to, metres) => {
    expect(distanceM(from, to)).toBe(metres);
  });

  const anywhere: fc.Arbitrary<Place> = fc.record({
    latitude: fc.double({ min: -90, max: 90, noNaN: true }),
    longitude: fc.double({ min: -180, max: 180, noNaN: true }),
  });

  it('is the angle between two directions from the centre of the earth', () => {
    const direction = ({ latitude, longitude }: Place) => {
      const [north, east] = [(latitude * Math.PI) / 180, (longitude * Math.PI) / 180];
      return [Math.cos(north) * Math.cos(east), Math.cos(north) * Math.sin(east), Math.sin(north)] as const;
    };
    fc.assert(
      fc.property(anywhere, anywhere, (a, b) => {
        const [u, v] = [direction(a), direction(b)];
        const cross = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
        const angle = Math.atan2(Math.hypot(...cross), u[0] * v[0] + u[1] * v[1] + u[2] * v[2]);
        expect(Math.abs(distanceM(a, b) - angle * 6_371_008.8)).toBeLessThan(1.5);
        expect(distanceM(a, b)).toBe(distanceM(b, a));
      }),
    );
  });
});

describe('byDistance', () => {
  it('puts the nearest first, and equally far ones in the order of their ids', () => {
    const place = (id: string, longitude: number) => ({ id, latitude: 55, longitude });
    const order = byDistance({ latitude: 55, longitude: 12 }, [place('c', 13), place('b', 11), place('a', 13), place('d', 12.1)]);
    expect(order.map(({ thing, distanceM }) => [thing.id, distanceM])).toEqual([
      ['d', 6_378],
      ['a', 63_778],
      ['b', 63_778],
      ['c', 63_778],
    ]);
  });
});

describe('what people write', () => {
  it.each([
    ['800m', 800],
    ['25km', 25_000],
    ['2.5km', 2_500],
    ['0m', 0],
    ['0.4m', 0],
    ['25', undefined],
    ['25 km', undefined],
    ['-1km', undefined],
    ['1e3m', undefined],
    ['km', undefined],
  ])('%j is %j metres', (text, metres) => {
    expect(parseDistanceM(text)).toBe(metres);
  });

  it.each([
    ['55.6811,12.5765', { latitude: 55.6811, longitude: 12.5765 }],
    ['-90,180', { latitude: -90, longitude: 180 }],
    ['64.18,-51.69', { latitude: 64.18, longitude: -51.69 }],
    ['91,12', undefined],
    ['55,181', undefined],
    ['55', undefined],
    ['55,12,1', undefined],
    ['55, 12', undefined],
    ['NaN,12', undefined],
  ])('%j is the place %j', (text, place) => {
    expect(parsePlace(text)).toEqual(place);
  });
});
