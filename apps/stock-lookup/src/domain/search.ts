const letters: Record<string, string> = { æ: 'ae', ø: 'o', þ: 'th', ð: 'd', ß: 'ss' };

/** Text as people type it in a hurry: lower case, without accents, so that "hoyttaler" finds "Høyttaler". */
export function fold(text: string): string {
  return text
    .toLowerCase()
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .replace(/[æøþðß]/g, (letter) => letters[letter] as string);
}

/** What a search looks through, and the order of its answers: by name, then by SKU. No two products have the same. */
export function searchText(product: { sku: string; gtin: string; name: string }): string {
  return [product.name, product.sku, product.gtin].map(fold).join(' ');
}

/** The words of a query, all of which must be found; at most eight count. */
export function wordsOf(query: string): string[] {
  return fold(query).split(/\s+/).filter(Boolean).slice(0, 8);
}
