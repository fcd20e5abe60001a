import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { defineConfig } from 'prisma/config';

/**
 * The Prisma settings every room shares. The schema engine is the WebAssembly build that npm carries (tools/schema-engine.mjs),
 * so that migrations run where Prisma's binary download is not reachable; PRISMA_NATIVE_ENGINE=1 takes the native one.
 */
export function prismaConfig(room: string) {
  if (process.env['PRISMA_NATIVE_ENGINE'] !== '1') {
    process.env['PRISMA_SCHEMA_ENGINE_BINARY'] ??= fileURLToPath(new URL('./schema-engine.mjs', import.meta.url));
  }
  process.env['CHECKPOINT_DISABLE'] ??= '1';
  process.env['PRISMA_HIDE_UPDATE_MESSAGE'] ??= '1';
  const url = process.env['DATABASE_URL'];
  return defineConfig({
    schema: join(room, 'prisma/schema.prisma'),
    migrations: { path: join(room, 'prisma/migrations') },
    ...(url ? { datasource: { url } } : {}),
  });
}
