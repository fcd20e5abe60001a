import { describe, expect, it } from 'vitest';
import { fold, searchText, wordsOf } from './search.ts';

describe('fold', () => {
  it.each([
    ['Høyttaler', 'hoyttaler'],
    ['HÖRLURAR', 'horlurar'],
    ['Smørrebrød & Ærø Åben', 'smorrebrod & aero aben'],
    ['Þórður Íslenska', 'thordur islenska'],
    ['Grün ß', 'grun ss'],
    ['Nordhavn Fjord 7 Pro 256 GB', 'nordhavn fjord 7 pro 256 gb'],
  ])('%s is searched as %s', (text, folded) => {
    expect(fold(text)).toBe(folded);
  });
});

it('a product is found by name, SKU and GTIN', () => {
  expect(searchText({ name: 'Kabel Å', sku: 'E100001', gtin: '9520001000010' })).toBe('kabel a e100001 9520001000010');
});

it('of a query at most eight words count', () => {
  expect(wordsOf('  Blå\tKabel  ')).toEqual(['bla', 'kabel']);
  expect(wordsOf('a b c d e f g h i j')).toHaveLength(8);
});
