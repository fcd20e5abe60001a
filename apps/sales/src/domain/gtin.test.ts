import { expect, test } from 'vitest';
import { normaliseGtin } from './gtin.ts';

test.each([
  { what: 'GTIN-13', digits: '4006381333931', kept: '4006381333931' },
  { what: 'GTIN-13 with a wrong check digit', digits: '4006381333932', kept: undefined },
  { what: 'GTIN-12', digits: '036000291452', kept: '0036000291452' },
  { what: 'GTIN-8', digits: '96385074', kept: '0000096385074' },
  { what: 'GTIN-14 of a consumer unit', digits: '04006381333931', kept: '4006381333931' },
  { what: 'GTIN-14 of a case', digits: '14006381333938', kept: '14006381333938' },
])('$what', ({ digits, kept }) => {
  expect(normaliseGtin(digits)).toBe(kept);
});
