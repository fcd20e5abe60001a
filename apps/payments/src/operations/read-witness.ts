import type { Deps } from './settle-transaction.ts';

interface Page {
  after?: string | undefined;
  limit: number;
}

/** Transactions whose outcome is not known, by id: the operators' worklist. One more than `limit` where there is another page. */
export function listOpenTransactions({ store }: Pick<Deps, 'store'>, { after, limit }: Page) {
  return store.openTransactions(after, limit + 1);
}

/** Every transaction, by id: what payments says of the money, for whoever compares witnesses. */
export function listTransactions({ store }: Pick<Deps, 'store'>, { after, limit }: Page) {
  return store.auditTransactions(after, limit + 1);
}

/** What operators did by hand, oldest first. */
export function listActs({ store }: Pick<Deps, 'store'>, { after, limit }: Page) {
  return store.acts(after, limit + 1);
}
