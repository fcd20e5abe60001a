/** What can be imported. */
export const importKinds = ['products', 'shops', 'opening-stock'] as const;
export type ImportKind = (typeof importKinds)[number];

export interface ProductRow {
  sku: string;
  gtin: string;
  name: string;
  itemGroup: string;
  isSerialised: boolean;
  isActive: boolean;
}

export interface ShopRow {
  shopId: string;
  gln: string;
  name: string;
  country: string;
  address: string;
  postalCode: string;
  city: string;
  latitude: number;
  longitude: number;
  timeZone: string;
  status: string;
  /** Who sells there in law. */
  seller: string;
  /** Their number in the country's register, as a receipt prints it. */
  sellerNumber: string;
}

export interface OpeningStockRow {
  shopId: string;
  sku: string;
  quantity: number;
}

/** A row for each kind. */
export interface ImportRows {
  products: ProductRow;
  shops: ShopRow;
  'opening-stock': OpeningStockRow;
}

/** What became of a row: the database's word, and for a refusal the column and a sentence. */
export type RowOutcome = 'accepted' | 'unchanged' | { column: string; code: string; detail: string };

const refusals: Record<string, { column: string; detail: string }> = {
  'gtin-taken': { column: 'gtin', detail: 'Another product has this GTIN; a barcode leads to one product.' },
  'gln-taken': { column: 'gln', detail: 'Another shop has this GLN.' },
  'unknown-shop': { column: 'shop_id', detail: 'There is no such shop; import shops first.' },
  'unknown-item': { column: 'sku', detail: 'There is no such product; import products first.' },
  'already-booked': {
    column: 'quantity',
    detail: 'Opening stock was booked with another quantity; correct it with an adjustment.',
  },
};

/** The outcome the database names with a word. A word that is none of ours is a bug. */
export function rowOutcome(word: string): RowOutcome {
  if (word === 'accepted' || word === 'unchanged') return word;
  const refusal = refusals[word];
  if (refusal === undefined) throw new Error(`an import answered ${word}`);
  return { code: word, ...refusal };
}

export interface ImportReport {
  importId: string;
  rows: number;
  accepted: number;
  /** Rows that said what was known already. */
  unchanged: number;
  refused: number;
  /** Where the refused rows are listed. */
  refusals: string;
}
