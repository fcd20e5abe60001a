import type { System } from './system.ts';

export async function sellOnTheWeb(_system: System): Promise<void> {
  await Promise.resolve();
}
