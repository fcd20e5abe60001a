import { join } from 'node:path';
import { applyMigrations, MigrationConflict, readMigrations } from '@kassa/testing/migrations';
import { Failure } from './failure.ts';
import { damaged, isDamage } from './postgres.ts';
import { serviceNames, type ServiceName } from './services.ts';

/**
 * Brings every service's schema up to its migrations and returns how many were applied. Throws Failure, naming --reset where the kept
 * data went another way.
 */
export async function migrateAll(workspace: string, dataFolder: string, urls: Record<ServiceName, string>): Promise<number> {
  const ran = await Promise.allSettled(serviceNames.map((name) => migrate(workspace, dataFolder, name, urls[name])));
  // All have come to rest before the first failure is told, for it ends the server they run on.
  const failed = ran.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
  return ran.flatMap((result) => (result.status === 'fulfilled' ? result.value : [])).length;
}

async function migrate(workspace: string, dataFolder: string, name: ServiceName, url: string): Promise<string[]> {
  try {
    return await applyMigrations(url, readMigrations(join(workspace, 'apps', name)));
  } catch (error) {
    const what = (error as Error).message;
    if (error instanceof MigrationConflict) throw new Failure(`${name}: ${what}; npm start -- --reset makes the data anew.`);
    if (isDamage(error)) throw damaged(dataFolder, `${name}: ${what}`);
    throw new Failure(`${name}: ${what}.`);
  }
}
