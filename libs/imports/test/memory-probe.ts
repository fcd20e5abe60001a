import { z } from 'zod';
import { openCsv, integer, text } from '../src/index.ts';

/*
 * Imports as many rows as the first argument says, from a stream made on the fly, into nowhere, and prints the report with the peak
 * of the process's memory in bytes. Rows differ in their keys, and one in ten is refused, so that nothing is free of charge.
 */
const rows = Number(process.argv[2]);

async function* file() {
  yield Buffer.from('sku,gtin,name,quantity\n');
  for (let n = 0; n < rows; n += 100) {
    const lines = Array.from(
      { length: 100 },
      (_, at) =>
        `ELK-${n + at},57${String(n + at).padStart(11, '0')},"Høretelefoner, model ${n + at}",${at % 10 === 0 ? 'x' : at}`,
    );
    yield await Promise.resolve(Buffer.from(`${lines.join('\n')}\n`));
  }
}

const csv = await openCsv(file(), {
  schema: z.strictObject({ sku: text(40), gtin: text(13), name: text(200), quantity: integer(0, 100_000) }),
});
const report = await csv.importRows({
  key: ({ sku }) => sku,
  apply: async (batch) => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    return batch.map(() => 'accepted' as const);
  },
  refuse: () => Promise.resolve(),
});
// maxRSS is in kilobytes on every platform (libuv, uv_getrusage).
process.stdout.write(JSON.stringify({ ...report, peakBytes: process.resourceUsage().maxRSS * 1024 }));
