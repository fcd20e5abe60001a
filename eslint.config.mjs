import js from '@eslint/js';
import nx from '@nx/eslint-plugin';
import prettier from 'eslint-config-prettier';
import tseslint from 'typescript-eslint';

// Who may import what. Between projects the tags in each package.json decide (first block); inside a room, the folder (last blocks).

const shared = 'scope:shared';
const rooms = ['sales', 'payments', 'inventory', 'stock-lookup', 'acquirer'];

const betweenProjects = [
  { sourceTag: 'type:app', onlyDependOnLibsWithTags: ['type:kit', 'type:pure', 'type:contracts', 'type:testing'] },
  { sourceTag: 'type:kit', onlyDependOnLibsWithTags: ['type:pure', 'type:contracts'] },
  // What their tests run on; their own code imports no package at all, see the domain block below.
  { sourceTag: 'type:pure', onlyDependOnLibsWithTags: ['type:pure'], allowedExternalImports: ['vitest', 'fast-check'] },
  {
    sourceTag: 'type:contracts',
    onlyDependOnLibsWithTags: [],
    allowedExternalImports: ['@bufbuild/protobuf', '@bufbuild/protobuf/*'],
  },
  { sourceTag: 'type:testing', onlyDependOnLibsWithTags: ['type:kit', 'type:pure', 'type:contracts'] },
  { sourceTag: 'type:e2e', onlyDependOnLibsWithTags: ['type:testing', 'type:pure', 'type:contracts'] },
  { sourceTag: 'type:tool', onlyDependOnLibsWithTags: ['type:testing', 'type:kit', 'type:pure', 'type:contracts'] },
  { sourceTag: shared, onlyDependOnLibsWithTags: [shared] },
  ...rooms.map((room) => ({ sourceTag: `scope:${room}`, onlyDependOnLibsWithTags: [`scope:${room}`, shared] })),
];

const tests = ['**/*.test.ts', '**/test/**', '**/vitest.config.ts'];
const kits = [
  'auth',
  'config',
  'contracts',
  'database',
  'feed',
  'grpc',
  'health',
  'http',
  'idempotency',
  'imports',
  'telemetry',
  'testing',
];
const kitImports = kits.flatMap((kit) => [`@kassa/${kit}`, `@kassa/${kit}/*`]);

/** Everything but siblings and pure libs. */
const notPure = {
  regex: '^(?!(\\./|@kassa/(money|countries|check-digits|problem)$))',
  message: 'Domain code imports its siblings and pure libs only.',
};
/** Clock, chance, environment and everything that waits come in as arguments. */
const impureSyntax = [
  {
    selector: 'AwaitExpression, FunctionDeclaration[async=true], ArrowFunctionExpression[async=true]',
    message: 'Domain code does not wait.',
  },
  {
    selector: "CallExpression[callee.object.name='Date'][callee.property.name='now']",
    message: 'The time comes in as an argument.',
  },
  { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'The time comes in as an argument.' },
  {
    selector: "CallExpression[callee.object.name='Math'][callee.property.name='random']",
    message: 'Chance comes in as an argument.',
  },
];
/** Laws for every file; a block that adds syntax laws of its own repeats them, since the last block wins. */
const everywhere = [
  { selector: 'ExportDefaultDeclaration', message: 'Exports have names.' },
  {
    selector: `ImportDeclaration[source.value=/^@kassa.(${rooms.join('|')})($|.)/]`,
    message: 'No one imports a service; call it.',
  },
];
const inServices = [
  ...everywhere,
  { selector: "ImportDeclaration[source.value='@kassa/testing']", message: 'The test kit is for tests.' },
  { selector: 'ImportExpression', message: 'Imports stand at the top of a file, where the laws see them.' },
];
const impureGlobals = ['process', 'fetch', 'setTimeout', 'setInterval', 'crypto', 'performance'];

export default tseslint.config(
  { ignores: ['**/gen/**', '**/dist/**', '**/node_modules/**', '**/.nx/**', '**/coverage/**'] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  prettier,
  {
    files: ['**/*.ts', '**/*.mjs'],
    plugins: { '@nx': nx },
    rules: {
      '@nx/enforce-module-boundaries': [
        'error',
        {
          allow: ['^.*/vitest\\.base\\.ts$', '^.*/tools/prisma-config\\.ts$'],
          depConstraints: betweenProjects,
          banTransitiveDependencies: false,
        },
      ],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/no-dynamic-delete': 'off',
      'no-console': 'error',
      'no-empty': ['error', { allowEmptyCatch: false }],
      eqeqeq: 'error',
      'no-restricted-syntax': ['error', ...everywhere],
    },
  },
  { files: ['apps/*/src/**/*.ts'], ignores: tests, rules: { 'no-restricted-syntax': ['error', ...inServices] } },
  { files: ['*.mjs', '**/*.config.ts', 'vitest.base.ts', 'loadtests/*.ts'], rules: { 'no-restricted-syntax': 'off' } },
  {
    files: ['**/*.mjs'],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', URL: 'readonly', crypto: 'readonly' } },
  },
  { files: ['tools/**', 'loadtests/**', 'libs/testing/**', 'apps/journeys/**'], rules: { 'no-console': 'off' } },

  // Settings are read in main.ts and telemetry.ts, and nowhere else.
  {
    files: ['apps/*/src/**/*.ts', 'libs/*/src/**/*.ts'],
    ignores: ['apps/*/src/main.ts', 'apps/*/src/telemetry.ts', 'libs/testing/**', ...tests],
    rules: {
      'no-restricted-globals': ['error', { name: 'process', message: 'Settings are read in main.ts; take them as arguments.' }],
    },
  },
  {
    files: ['apps/*/src/domain/**/*.ts', 'libs/{money,countries,check-digits,problem}/src/**/*.ts'],
    ignores: tests,
    rules: {
      'no-restricted-imports': ['error', { patterns: [notPure] }],
      'no-restricted-syntax': ['error', ...inServices, ...impureSyntax],
      'no-restricted-globals': ['error', ...impureGlobals],
    },
  },
  {
    files: ['apps/*/src/operations/**/*.ts'],
    ignores: tests,
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['../store.ts', '../store/*', '../clients.ts', ...kitImports],
              allowTypeImports: true,
              message: 'Operations know store, clients and kits by their types only.',
            },
            {
              group: ['../http*.ts', '../http/*', '../grpc.ts', '../app.ts', '../main.ts', '../config.ts', '../gen/**'],
              message: 'Operations know nothing of the wire, the wiring and the database.',
            },
            {
              regex: '^(fastify|pg|nice-grpc|@prisma/|zod|node:)',
              message: 'Operations tell a story; the outside is behind store.ts and clients.ts.',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['apps/*/src/{store,clients}.ts', 'apps/*/src/store/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '^\\.\\.?/(operations/|http|(grpc|app|main|config)\\.ts$)',
              message: 'store.ts and clients.ts stand below the operations.',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['apps/*/src/{http,http-schemas,grpc}.ts', 'apps/*/src/http/*.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '^\\.\\.?/((store|clients)\\.ts$|store/|gen/)',
              allowTypeImports: true,
              message: 'The wire calls operations.',
            },
            { regex: '^\\.\\.?/(app|main|config)\\.ts$', message: 'The wire does not know the wiring.' },
          ],
        },
      ],
    },
  },
  {
    files: ['apps/*/src/main.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: [{ regex: '^\\./(?!(app|config)\\.ts$)', message: 'main.ts knows app and config.' }] },
      ],
      'no-console': 'off',
    },
  },
  { files: tests, rules: { '@typescript-eslint/no-non-null-assertion': 'off' } },
);
