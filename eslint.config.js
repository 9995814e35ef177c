import { createNodeResolver, importX } from 'eslint-plugin-import-x'
import { defineConfig } from 'eslint/config'
import js from '@eslint/js'
import ts from 'typescript-eslint'

/** The rooms, lowest first. What is in one imports from lower rooms, and from its own. */
const ROOMS = [
  'src/errors.ts',
  'src/dispose.ts',
  'src/shared.ts',
  'src/package-folder.ts',
  'src/together.ts',
  'src/wait.ts',
  'src/postgres',
  'src/router',
  'src/topology',
  'src/history',
  'src/measure',
  'src/runtime',
  'src/links',
  'src/cluster',
  'src/faults',
  'src/client',
  'src/operations',
  'src/experiments',
  'src/stack',
  'src/lab.ts',
  'src/temporary-cluster.ts',
  'src/compare',
  'src/report',
  'src/testing',
  'src/index.ts',
  'src/vitest.ts',
  'src/options',
  'src/demo',
  'demos',
  'bench',
  'src/cli',
  'test',
]

const roomZones = ROOMS.slice(0, -1).map((room, at) => ({
  target: room,
  from: ROOMS.slice(at + 1),
  message: `${room} imports only from the rooms below it, and from its own (ROOMS in eslint.config.js).`,
}))

const ADAPTERS = ['src/runtime/docker', 'src/runtime/local']
const MAY_NAME_ADAPTERS = ['src/lab.ts', 'bench', 'test']
const adapterZones = ADAPTERS.map(from => ({
  target: [
    'src/runtime/*.ts',
    ...ADAPTERS.filter(other => other !== from),
    ...ROOMS.filter(room => room !== 'src/runtime' && !MAY_NAME_ADAPTERS.includes(room)),
  ],
  from,
  message: 'Only src/lab.ts names an adapter; everything else speaks to the port, src/runtime/runtime.ts.',
}))

const LOOPS = new Set(['ForStatement', 'ForOfStatement', 'ForInStatement', 'WhileStatement', 'DoWhileStatement'])

/** A rule of its own, since a selector cannot say "in a loop, with no function between". */
const noUsingInLoop = {
  meta: {
    type: 'problem',
    schema: [],
    messages: {
      found:
        'esbuild (so tsx and vitest) keeps the state of `using` in a `var`: an error of one iteration is thrown again by the next. Move the body of the loop into a function.',
    },
  },
  create: context => ({
    'VariableDeclaration[kind=/using$/]'(node) {
      let parent = node.parent
      while (parent && !LOOPS.has(parent.type) && !/Function|StaticBlock/.test(parent.type)) parent = parent.parent
      if (parent && LOOPS.has(parent.type)) context.report({ node, messageId: 'found' })
    },
  }),
}

/** `await pause(ms)` of src/wait.ts is the one way to let time pass; `await waitUntil(…)` is nearly always the better one. */
const NO_SLEEP = [
  {
    selector: ':matches(ImportDeclaration, ImportExpression)[source.value=/^(node:)?timers.promises$/]',
    message: 'No bare sleep: waitUntil(condition), or pause() for a cadence, both in src/wait.ts.',
  },
  {
    selector:
      'NewExpression[callee.name="Promise"] CallExpression[callee.name="setTimeout"][arguments.0.type="Identifier"]',
    message: 'No bare sleep: waitUntil(condition), or pause() for a cadence, both in src/wait.ts.',
  },
]

export default defineConfig(
  // examples/drivers has rules of its own, where its drivers are installed: its `check` runs them.
  { ignores: ['dist/', 'coverage/', '.ci/', 'examples/drivers/'] },
  {
    files: ['**/*.{js,ts}'],
    extends: [js.configs.recommended],
    linterOptions: { reportUnusedDisableDirectives: 'error' },
  },
  {
    files: ['**/*.ts'],
    extends: [ts.configs.strictTypeChecked, ts.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { 'import-x': importX, lab: { rules: { 'no-using-in-loop': noUsingInLoop } } },
    settings: { 'import-x/resolver-next': [createNodeResolver({ extensions: ['.ts', '.js'] })] },
    rules: {
      'import-x/no-restricted-paths': [
        'error',
        { basePath: import.meta.dirname, zones: [...roomZones, ...adapterZones] },
      ],
      'import-x/no-default-export': 'error',
      'lab/no-using-in-loop': 'error',
      'no-restricted-syntax': ['error', ...NO_SLEEP],
      'no-console': 'error',
      'max-lines': ['error', { max: 250, skipBlankLines: true, skipComments: true }],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],

      // `${port}` and `${row?.name}` in messages are wanted; objects are still refused.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowNullish: true, allowBoolean: true },
      ],
      // `() => resolve()` and `() => void (x = 1)` in one line are the style here.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      // An interface is asynchronous on every adapter, also on one that needs not await; async makes its throws rejections.
      '@typescript-eslint/require-await': 'off',
      // `||` is meant where an empty environment variable counts as unset.
      '@typescript-eslint/prefer-nullish-coalescing': [
        'error',
        { ignorePrimitives: { string: true }, ignoreConditionalTests: true },
      ],
      // `for (;;)` and `while (true)` are loops, not mistakes.
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      // `type Release = () => …` beside interfaces, and `Record<…>` for what is only indexed, are both fine.
      '@typescript-eslint/consistent-indexed-object-style': 'off',
      // environment['NAME'] is what tsc's noPropertyAccessFromIndexSignature asks for.
      '@typescript-eslint/dot-notation': 'off',
      // `async [Symbol.asyncDispose]() {}`: nothing to release is an answer.
      '@typescript-eslint/no-empty-function': ['error', { allow: ['asyncMethods'] }],
      // `await using _session = …`: held for its disposal, not for its value.
      '@typescript-eslint/no-unused-vars': ['error', { varsIgnorePattern: '^_', argsIgnorePattern: '^_' }],
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
      '@typescript-eslint/max-params': ['error', { max: 3 }],
    },
  },
  { files: ['src/wait.ts'], rules: { 'no-restricted-syntax': 'off' } },
  { files: ['src/report/**/*.ts', 'src/cli/**/*.ts', 'bench/**/*.ts'], rules: { 'no-console': 'off' } },
  {
    files: ['*.config.{js,ts}', 'demos/**/*.ts', 'test/support/global-setup.ts'],
    rules: { 'import-x/no-default-export': 'off' },
  },
  {
    files: ['demos/**/*.ts'],
    rules: {
      'max-lines': ['error', { max: 120 }],
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: String.raw`^(?!node:|\.\./src/demo/index\.ts$)`,
              message: 'A demo imports only ../src/demo/index.ts and node: modules.',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['examples/**/*.ts'],
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        { allowForKnownSafeCalls: [{ from: 'package', name: ['describe', 'it'], package: 'node:test' }] },
      ],
    },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: {
      // A test file is a list of facts, and a describe() holds all of them.
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      // A test knows what it put in: `rows[0]!.id` fails loudly by itself.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // expect.objectContaining() and friends are typed any.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      // expect(object.method) hands over no `this`.
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ROOMS.map(room => (room.endsWith('.ts') ? room : `${room}/**`)),
    rules: {
      'no-restricted-syntax': [
        'error',
        { selector: 'Program', message: 'This file is in no room: see ROOMS in eslint.config.js.' },
      ],
    },
  },
)
