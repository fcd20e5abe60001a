/** What k6 gives every script, and @types/k6 does not name. */
declare const console: Record<'log' | 'info' | 'warn' | 'error', (...words: unknown[]) => void>;
declare const crypto: { randomUUID(): string };
