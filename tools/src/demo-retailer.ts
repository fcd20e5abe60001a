import type { CountryCode } from '@kassa/countries';

/**
 * The demo retailer as tables, of which make-data.ts makes the files in data/. Elnord, its brands and its products are invented;
 * towns and streets are real.
 */

/** The shop all demonstrations begin in, and the product every shop has. */
export const headShop = 'dk-001';
export const flagship = 'Nordhavn Fjord 7 Pro 256 GB, midnatsblå';

/** Place, address, postal code, city, latitude, longitude; by country, in the order of their opening. */
export const shops: Record<CountryCode, [string, string, string, string, number, number][]> = {
  dk: [
    ['Købmagergade', 'Købmagergade 40', '1150', 'København K', 55.6811, 12.5765],
    ['Frederiksberg', 'Falkoner Allé 21', '2000', 'Frederiksberg', 55.6815, 12.5316],
    ['Havneholmen', 'Havneholmen 5', '1561', 'København V', 55.6629, 12.5645],
    ['Østerbro', 'Østerbrogade 95', '2100', 'København Ø', 55.7035, 12.5772],
    ['Ørestad', 'Arne Jacobsens Allé 12', '2300', 'København S', 55.6303, 12.5772],
    ['Lyngby', 'Lyngby Hovedgade 60', '2800', 'Kongens Lyngby', 55.7704, 12.5038],
    ['Rødovre', 'Rødovre Centrum 1', '2610', 'Rødovre', 55.6798, 12.456],
    ['Ballerup', 'Centrumgaden 20', '2750', 'Ballerup', 55.7317, 12.3633],
    ['Ishøj', 'Ishøj Store Torv 1', '2635', 'Ishøj', 55.6154, 12.3518],
    ['Taastrup', 'Taastrup Hovedgade 60', '2630', 'Taastrup', 55.6501, 12.3016],
    ['Hillerød', 'Slotsgade 30', '3400', 'Hillerød', 55.9279, 12.3008],
    ['Helsingør', 'Stengade 45', '3000', 'Helsingør', 56.0361, 12.6136],
    ['Roskilde', 'Algade 20', '4000', 'Roskilde', 55.6415, 12.0803],
    ['Køge', 'Nørregade 14', '4600', 'Køge', 55.458, 12.1821],
    ['Holbæk', 'Ahlgade 30', '4300', 'Holbæk', 55.7175, 11.7128],
    ['Slagelse', 'Rosengade 10', '4200', 'Slagelse', 55.4028, 11.3546],
    ['Næstved', 'Ramsherred 12', '4700', 'Næstved', 55.2299, 11.7609],
    ['Nykøbing Falster', 'Frisegade 20', '4800', 'Nykøbing F', 54.7691, 11.8742],
    ['Kalundborg', 'Kordilgade 25', '4400', 'Kalundborg', 55.6795, 11.0886],
    ['Rønne', 'Store Torvegade 40', '3700', 'Rønne', 55.1009, 14.7066],
    ['Odense Vestergade', 'Vestergade 60', '5000', 'Odense C', 55.3959, 10.3883],
    ['Odense Rosengård', 'Ørbækvej 75', '5220', 'Odense SØ', 55.383, 10.4265],
    ['Svendborg', 'Møllergade 30', '5700', 'Svendborg', 55.0598, 10.6068],
    ['Nyborg', 'Kongegade 10', '5800', 'Nyborg', 55.3127, 10.7896],
    ['Kolding', 'Østergade 20', '6000', 'Kolding', 55.4904, 9.4722],
    ['Vejle', 'Nørregade 20', '7100', 'Vejle', 55.7093, 9.5357],
    ['Fredericia', 'Gothersgade 15', '7000', 'Fredericia', 55.5657, 9.7526],
    ['Horsens', 'Søndergade 20', '8700', 'Horsens', 55.8607, 9.8503],
    ['Aarhus Strøget', 'Søndergade 40', '8000', 'Aarhus C', 56.1545, 10.2065],
    ['Aarhus Nord', 'Finlandsgade 17', '8200', 'Aarhus N', 56.1705, 10.188],
    ['Silkeborg', 'Vestergade 30', '8600', 'Silkeborg', 56.1697, 9.5451],
    ['Randers', 'Østergade 10', '8900', 'Randers C', 56.4607, 10.0364],
    ['Viborg', 'Sct. Mathias Gade 40', '8800', 'Viborg', 56.4532, 9.402],
    ['Aalborg Nytorv', 'Nytorv 20', '9000', 'Aalborg', 57.048, 9.9187],
    ['Aalborg Syd', 'Hobrovej 452', '9200', 'Aalborg SV', 57.005, 9.876],
    ['Hjørring', 'Østergade 20', '9800', 'Hjørring', 57.4642, 9.9823],
    ['Herning', 'Bredgade 30', '7400', 'Herning', 56.1362, 8.9766],
    ['Holstebro', 'Nørregade 25', '7500', 'Holstebro', 56.3601, 8.6161],
    ['Esbjerg', 'Kongensgade 40', '6700', 'Esbjerg', 55.4703, 8.4519],
    ['Sønderborg', 'Perlegade 30', '6400', 'Sønderborg', 54.909, 9.7892],
  ],
  no: [
    ['Oslo', 'Karl Johans gate 20', '0159', 'Oslo', 59.9127, 10.7461],
    ['Bergen', 'Strandgaten 15', '5013', 'Bergen', 60.393, 5.3242],
    ['Trondheim', 'Munkegata 20', '7011', 'Trondheim', 63.4305, 10.3951],
    ['Stavanger', 'Kirkegata 20', '4006', 'Stavanger', 58.9701, 5.7333],
    ['Tromsø', 'Storgata 80', '9008', 'Tromsø', 69.6489, 18.9551],
    ['Bodø', 'Storgata 10', '8006', 'Bodø', 67.28, 14.405],
  ],
  se: [
    ['Stockholm', 'Drottninggatan 50', '111 21', 'Stockholm', 59.3326, 18.0637],
    ['Göteborg', 'Östra Hamngatan 30', '411 09', 'Göteborg', 57.7072, 11.9668],
    ['Malmö', 'Södergatan 20', '211 34', 'Malmö', 55.6059, 13.0007],
    ['Uppsala', 'Dragarbrunnsgatan 40', '753 20', 'Uppsala', 59.8588, 17.6389],
    ['Umeå', 'Kungsgatan 60', '903 26', 'Umeå', 63.8284, 20.2597],
    ['Örebro', 'Drottninggatan 20', '702 10', 'Örebro', 59.2741, 15.2066],
  ],
  fi: [
    ['Helsinki', 'Mannerheimintie 10', '00100', 'Helsinki', 60.1695, 24.9354],
    ['Tampere', 'Hämeenkatu 20', '33200', 'Tampere', 61.4991, 23.7871],
    ['Turku', 'Yliopistonkatu 22', '20100', 'Turku', 60.4515, 22.2687],
    ['Oulu', 'Kirkkokatu 15', '90100', 'Oulu', 65.0124, 25.4682],
  ],
  is: [
    ['Reykjavík', 'Laugavegur 40', '101', 'Reykjavík', 64.1445, -21.922],
    ['Akureyri', 'Hafnarstræti 95', '600', 'Akureyri', 65.6835, -18.0878],
  ],
  gl: [['Nuuk', 'Imaneq 10', '3900', 'Nuuk', 64.1766, -51.737]],
  fo: [['Tórshavn', 'Niels Finsens gøta 20', '100', 'Tórshavn', 62.0113, -6.772]],
};
export const closedForNow = ['dk-020'];

/** Large shops by the number of products they carry and of their fixed registers; the others are as usual in their country. */
export const largeShops: Readonly<Record<string, { products: number; desks: number }>> = {
  [headShop]: { products: 1200, desks: 5 },
  'dk-021': { products: 900, desks: 4 },
  'dk-029': { products: 900, desks: 4 },
  'dk-034': { products: 900, desks: 4 },
};
export const usualProducts: Record<CountryCode, number> = { dk: 540, no: 320, se: 320, fi: 320, is: 320, gl: 320, fo: 320 };

/** The one register a shop's people carry around. */
export const mobileRegister: Record<CountryCode, string> = {
  dk: 'Mobil kasse',
  no: 'Mobil kasse',
  se: 'Mobil kassa',
  fi: 'Mobiilikassa',
  is: 'Færanlegur kassi',
  gl: 'Mobil kasse',
  fo: 'Flytførur kassi',
};

/** The words between bars. */
function list(text: string): string[] {
  return text.split(' | ');
}

/** A product's name is brand, model, variant and finish. Models and variants go from cheap to dear; brand and finish are free. */
export interface Range {
  readonly group: string;
  readonly count: number;
  /** Cheapest and dearest shelf price in Denmark, in whole kroner. */
  readonly kr: readonly [number, number];
  /** Fewest and most units a shop opens with. */
  readonly stock: readonly [number, number];
  readonly isSerialised?: true;
  readonly brands: readonly string[];
  readonly models: readonly string[];
  readonly variants: readonly string[];
  readonly finishes: readonly string[];
}

export const ranges: Range[] = [
  {
    group: 'phones',
    count: 200,
    kr: [1299, 13999],
    stock: [10, 60],
    isSerialised: true,
    brands: list('Nordhavn Fjord | Þórsson Jökull | Sjöbris Våg | Aamuvala Revontuli | Ljósvík Norðurljós'),
    models: list('4 | 5 | 5 Plus | 6 | 6 Pro | 7 | 7 Pro | 7 Ultra'),
    variants: list('128 GB, | 256 GB, | 512 GB,'),
    finishes: list('sort | hvid | midnatsblå | skovgrøn'),
  },
  {
    group: 'laptops',
    count: 180,
    kr: [2999, 24999],
    stock: [4, 25],
    isSerialised: true,
    brands: list('Fjällverk Stig | Østvind Kontor | Hvítaþing Bók | Åsgrav Studio'),
    models: list('13" | 14" | 15,6" | 16" | 17,3"'),
    variants: list('8 GB/256 GB, | 16 GB/512 GB, | 32 GB/1 TB, | 64 GB/2 TB,'),
    finishes: list('grå | sølv | sort'),
  },
  {
    group: 'tablets',
    count: 90,
    kr: [1299, 9999],
    stock: [5, 40],
    brands: list('Nordhavn Plade | Sjöbris Blad | Aamuvala Lehti'),
    models: list('8" | 10,4" | 11" | 12,9" Pro'),
    variants: list('64 GB, | 128 GB, | 256 GB 5G,'),
    finishes: list('grå | sølv | rosé'),
  },
  {
    group: 'tv',
    count: 150,
    kr: [1499, 34999],
    stock: [2, 15],
    brands: list('Æskelund Udsyn | Østvind Panorama | Hönö Vy | Skarðsvík Sýn'),
    models: list('32" | 43" | 50" | 55" | 65" | 75" | 85"'),
    variants: list('HD LED | 4K LED | 4K QLED | 4K OLED | 8K Mini-LED'),
    finishes: list('(2025) | (2026)'),
  },
  {
    group: 'audio',
    count: 260,
    kr: [99, 9999],
    stock: [5, 60],
    brands: list('Brøndlyd | Hönö Ljud | Norðþing Hljóð | Æskelund Lyd'),
    models: list(
      'in-ear høretelefoner | Bluetooth-højttaler | on-ear hovedtelefoner | trådløse ørepropper | støjdæmpende over-ear | pladespiller | soundbar 3.1 | AV-receiver | gulvhøjttalere, par,',
    ),
    variants: list('Mini, | One, | Plus, | Max,'),
    finishes: list('sort | hvid | eg'),
  },
  {
    group: 'wearables',
    count: 80,
    kr: [299, 5999],
    stock: [5, 40],
    brands: list('Aamuvala Kello | Ljósvík Tími | Nordhavn Puls'),
    models: list('aktivitetsarmbånd | smartwatch 40 mm | smartwatch 44 mm | sportsur GPS'),
    variants: list('Lite, | Classic, | Ultra,'),
    finishes: list('sort | sand | petrol'),
  },
  {
    group: 'gaming',
    count: 140,
    kr: [79, 7999],
    stock: [5, 50],
    brands: list('Ragnarök | Lindormen | Tundrå'),
    models: list(
      'musemåtte | mus | headset | tastatur | controller | rat med pedaler | skærm 27" | skærm 34" ultrawide | spillekonsol',
    ),
    variants: list('Core, | Pro, | Elite,'),
    finishes: list('sort | hvid'),
  },
  {
    group: 'photo',
    count: 90,
    kr: [149, 18999],
    stock: [2, 20],
    brands: list('Ljósvík Auga | Kvistgård Foto'),
    models: list('kamerataske | stativ | actionkamera | objektiv 50 mm f/1,8 | drone | systemkamera'),
    variants: list('I, | II, | III, | IV,'),
    finishes: list('sort | grå'),
  },
  {
    group: 'smart-home',
    count: 130,
    kr: [79, 2999],
    stock: [10, 80],
    brands: list('Vårdal | Kvistgård | Hemmå'),
    models: list(
      'LED-pære E27 | bevægelsessensor | smart stikkontakt | røgalarm | termostat | dørklokke med kamera | overvågningskamera | dørlås | startsæt',
    ),
    variants: list('Basis, | Plus, | Pro,'),
    finishes: list('hvid | sort'),
  },
  {
    group: 'white-goods',
    count: 160,
    kr: [599, 19999],
    stock: [1, 8],
    brands: list('Ísarn | Gråstein | Håndfast'),
    models: list(
      'mikrobølgeovn | emhætte | køleskab | opvaskemaskine | vaskemaskine | tørretumbler | indbygningsovn | amerikansk køle-/fryseskab',
    ),
    variants: list('300, | 500, | 700, | 900,'),
    finishes: list('hvid | rustfrit stål'),
  },
  {
    group: 'small-appliances',
    count: 220,
    kr: [149, 7999],
    stock: [5, 40],
    brands: list('Gråstein | Sjøgren & Åberg | Kvistgård'),
    models: list(
      'elkedel | brødrister | stavblender | hårtørrer | kaffemaskine | airfryer | støvsuger | køkkenmaskine | robotstøvsuger | espressomaskine',
    ),
    variants: list('100, | 200, | 300, | 400,'),
    finishes: list('sort | hvid | råhvid "retro"'),
  },
  {
    group: 'accessories',
    count: 180,
    kr: [39, 1999],
    stock: [100, 500],
    brands: list('Åsgrav | Hemmå | Sjöbris'),
    models: list(
      'rengøringsklud | skærmbeskyttelse | mobilcover | computersleeve | powerbank | USB-hub | rygsæk 15,6" | dockingstation',
    ),
    variants: list('S, | M, | L,'),
    finishes: list('sort | grå | rød'),
  },
  {
    group: 'cables',
    count: 120,
    kr: [39, 499],
    stock: [200, 900],
    brands: list('Hemmå | Norðþing'),
    models: list('USB-C-kabel | HDMI-kabel | netværkskabel Cat 6 | DisplayPort-kabel | Thunderbolt-kabel'),
    variants: list('0,5 m, | 1 m, | 2 m, | 3 m, | 5 m,'),
    finishes: list('sort | hvid | flettet'),
  },
];

/** Shelf prices next to the Danish ones, in parts per 10000: exchange rate, VAT, and the freight to Greenland and the Faroes. */
export const priceLevel: Record<CountryCode, number> = {
  dk: 10_000,
  no: 15_500,
  se: 15_000,
  fi: 1_350,
  is: 198_000,
  gl: 9_500,
  fo: 10_500,
};

/** How prices end: below so many major units, in steps of `step` minor units, `less` below the step: 1 299,00 and 12 990. */
const krone = [
  { below: 100, step: 1_000, less: 5 },
  { below: 1_000, step: 1_000, less: 100 },
  { below: 10_000, step: 10_000, less: 100 },
  { below: Infinity, step: 50_000, less: 100 },
];
const scandinavian = [
  { below: 100, step: 1_000, less: 10 },
  { below: 1_000, step: 1_000, less: 100 },
  { below: 10_000, step: 10_000, less: 1_000 },
  { below: Infinity, step: 50_000, less: 1_000 },
];
const euro = [
  { below: 100, step: 100, less: 1 },
  { below: 1_000, step: 1_000, less: 100 },
  { below: Infinity, step: 5_000, less: 100 },
];
const icelandic = [
  { below: 10_000, step: 100, less: 5 },
  { below: 100_000, step: 1_000, less: 10 },
  { below: Infinity, step: 5_000, less: 10 },
];
export const endings = { dk: krone, no: scandinavian, se: scandinavian, fi: euro, is: icelandic, gl: krone, fo: krone };

/** Campaign weeks, [from, to) in each shop's own days. */
export const campaigns = [
  ['2024-11-25', '2024-12-02'],
  ['2025-06-23', '2025-07-14'],
  ['2025-11-24', '2025-12-01'],
  ['2026-06-22', '2026-07-13'],
  ['2026-11-23', '2026-11-30'],
  ['2027-01-02', '2027-02-01'],
  ['2027-11-22', '2027-11-29'],
] as const;
