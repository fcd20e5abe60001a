import Fastify from 'fastify';
import pg from 'pg';

/**
 * What a stock lookup is compared with, as a process of its own: `hello`, a bare Fastify that says one word, and `select`, one that
 * answers each request with a row from a prepared SELECT. Arguments: hello, or select and a database's address. Writes its address.
 */
const [kind, url] = process.argv.slice(2);
const server = Fastify();

if (kind === 'select') {
  const pool = new pg.Pool({ connectionString: url, max: 10, idleTimeoutMillis: 600_000 });
  const text = 'SELECT shop_id, sku, on_hand FROM stock_levels WHERE shop_id = $1 AND sku = $2';
  server.get<{ Params: { shop: string; sku: string } }>('/:shop/:sku', async ({ params }) => {
    const { rows } = await pool.query({ name: 'level', text, values: [params.shop, params.sku] });
    return rows[0] as object;
  });
} else {
  server.get('/', () => ({ hello: 'world' }));
}

console.log(await server.listen({ host: '127.0.0.1', port: 0 }));
// The one who started it holds the other end: it ends with them.
process.stdin.on('end', () => process.exit(0)).resume();
