import type { System } from './system.ts';

export function saleLine(system: System, token: string): string {
  return `curl ${system.services.sales.http} ${token.length}`;
}
