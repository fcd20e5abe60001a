import { createHmac } from 'node:crypto';

/** The merchant as the acquirer sees him: someone who takes signed events. */
export interface Merchant {
  /** Delivers one event once. Throws where he does not answer 2xx in time. */
  send(event: { id: string; payload: unknown }): Promise<void>;
}

export interface MerchantOptions {
  /** Where events go; undefined where the merchant wants none. */
  url: string | undefined;
  /** `whsec_` and the key in base64, or the key itself as text. Two sign while it is being changed. */
  secrets: () => string[];
  /** Milliseconds he may take to answer. */
  timeoutMs: number;
}

/** Events as Standard Webhooks v1.0.0 has them: id, time and an HMAC-SHA256 over `id.time.body` in three headers. */
export function createMerchant({ url, secrets, timeoutMs }: MerchantOptions): Merchant {
  return {
    async send({ id, payload }) {
      if (url === undefined) return;
      const body = JSON.stringify(payload);
      const timestamp = String(Math.floor(Date.now() / 1000));
      const sign = (secret: string) =>
        `v1,${createHmac('sha256', keyBytes(secret)).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
      const response = await fetch(url, {
        method: 'POST',
        body,
        headers: {
          'content-type': 'application/json',
          'webhook-id': id,
          'webhook-timestamp': timestamp,
          'webhook-signature': secrets().map(sign).join(' '),
        },
        signal: AbortSignal.timeout(timeoutMs),
      });
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`the merchant answered ${response.status} to event ${id}`);
    },
  };
}

function keyBytes(secret: string): Buffer {
  return secret.startsWith('whsec_') ? Buffer.from(secret.slice('whsec_'.length), 'base64') : Buffer.from(secret);
}
