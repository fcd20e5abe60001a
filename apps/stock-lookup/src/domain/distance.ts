/** A place on earth, in degrees of WGS 84. */
export interface Place {
  latitude: number;
  longitude: number;
}

/** Mean radius of the earth in metres (IUGG). The earth being no sphere, a distance may be wrong by half a percent. */
const earthRadiusM = 6_371_008.8;

/** The great-circle distance in whole metres (haversine). */
export function distanceM(from: Place, to: Place): number {
  const latitude = radians(to.latitude - from.latitude);
  const longitude = radians(to.longitude - from.longitude);
  const chord =
    Math.sin(latitude / 2) ** 2 +
    Math.cos(radians(from.latitude)) * Math.cos(radians(to.latitude)) * Math.sin(longitude / 2) ** 2;
  return Math.round(2 * earthRadiusM * Math.asin(Math.min(1, Math.sqrt(chord))));
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}

/** The things nearest to a place first; what is equally far stands in the order of its id. */
export function byDistance<Thing extends Place & { id: string }>(from: Place, things: Iterable<Thing>): Away<Thing>[] {
  const away = Array.from(things, (thing) => ({ thing, distanceM: distanceM(from, thing) }));
  return away.sort((a, b) => a.distanceM - b.distanceM || (a.thing.id < b.thing.id ? -1 : 1));
}

export interface Away<Thing> {
  thing: Thing;
  distanceM: number;
}

/** Metres of a distance as people write it, with its unit: `800m`, `2.5km`. Undefined where it is none. */
export function parseDistanceM(text: string): number | undefined {
  const [, amount, unit] = /^(\d{1,6}(?:\.\d{1,3})?)(km|m)$/.exec(text) ?? [];
  return amount === undefined ? undefined : Math.round(Number(amount) * (unit === 'km' ? 1_000 : 1));
}

/** A place as `latitude,longitude` in degrees. Undefined where it is none on earth. */
export function parsePlace(text: string): Place | undefined {
  const [, north, east] = /^(-?\d{1,2}(?:\.\d{1,10})?),(-?\d{1,3}(?:\.\d{1,10})?)$/.exec(text) ?? [];
  const place = { latitude: Number(north), longitude: Number(east) };
  return Math.abs(place.latitude) <= 90 && Math.abs(place.longitude) <= 180 ? place : undefined;
}
