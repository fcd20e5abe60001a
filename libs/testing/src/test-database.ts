import { testDatabases, type TestDatabases } from './test-databases.ts';

export interface TestDatabase {
  /** postgresql:// address, as a superuser. */
  url: string;
  /** Removes the database, open connections or not. */
  drop(): Promise<void>;
}

/**
 * A database of its own on a real PostgreSQL, with every migration of `room` (absolute path of the app's folder) applied; an
 * empty one when `room` is undefined. Under Vitest with `@kassa/testing/global-setup` the whole run shares one server;
 * elsewhere this process starts its own and stops it with the last database.
 */
export async function testDatabase(room?: string): Promise<TestDatabase> {
  const shared = process.env['KASSA_TEST_DATABASES'];
  if (!shared) return ownDatabase(room);
  const { url } = (await ask(shared, 'POST', { room })) as { url: string };
  return { url, drop: async () => void (await ask(shared, 'DELETE', { url })) };
}

let own: TestDatabases | undefined;
let ownOpen = 0;

async function ownDatabase(room: string | undefined): Promise<TestDatabase> {
  own ??= testDatabases(process.env, (sentence) => console.log(sentence));
  ownOpen++;
  const mine = own;
  const url = await mine.create(room);
  return {
    url,
    async drop() {
      await mine.drop(url);
      if (--ownOpen > 0) return;
      own = undefined;
      await mine.close();
    },
  };
}

async function ask(address: string, method: string, body: object): Promise<unknown> {
  const response = await fetch(address, { method, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`The test databases answered: ${await response.text()}`);
  return response.json();
}
