import { createNodeResolver, importX } from 'eslint-plugin-import-x'
import { defineConfig } from 'eslint/config'
import js from '@eslint/js'
import ts from 'typescript-eslint'

/**
 * The import levels, lowest first. A level is a list of groups (a folder, or files that belong together), and a group a
 * list of globs. A file imports only from lower levels and from its own group.
 */
const LEVELS = [
  [['src/errors.ts'], ['src/dispose.ts']],
  [['src/postgres/{conninfo,lsn,sql,sqlstate,synchronous,timeline-history,wal-dump}.ts'], ['src/runtime/runtime.ts']],
  [['src/wait.ts'], ['src/topology/**/*.ts'], ['src/workload/history.ts']],
  [['src/workload/check.ts']],
  [['src/measure/**/*.ts']],
  [['src/postgres/!(conninfo|lsn|sql|sqlstate|synchronous|timeline-history|wal-dump).ts', 'src/postgres/*/**/*.ts']],
  [['src/runtime/!(runtime).ts']],
  [['src/runtime/docker/**/*.ts'], ['src/runtime/local/**/*.ts']],
  [['src/links/**/*.ts']],
  [['src/cluster/**/*.ts']],
  [['src/workload/!(history|check).ts', 'src/workload/*/**/*.ts']],
  [['src/report/**/*.ts']],
  [['src/lab.ts', 'src/lab/**/*.ts']],
  [['src/demo.ts']],
  [['src/index.ts']],
  [['demos/**/*.ts']],
  [['src/cli/{command,interrupt}.ts']],
  [['bench/**/*.ts']],
  [['src/cli/!(command|interrupt).ts'], ['test/**/*.ts']],
]

/** What each group must not import: every higher level, and the other groups of its own. */
const levelZones = LEVELS.flatMap((level, at) =>
  level.flatMap(group => {
    const message = `${group[0]} is on import level ${at}: it imports only from lower levels and its own folder (LEVELS in eslint.config.js).`
    const others = [...level.filter(other => other !== group), ...LEVELS.slice(at + 1).flat()]
    return others.flat().map(from => ({ target: group, from, message }))
  }),
)

const ADAPTERS = ['src/runtime/docker/**/*.ts', 'src/runtime/local/**/*.ts']
const MAY_NAME_ADAPTERS = [...ADAPTERS, 'src/lab.ts', 'src/lab/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts']
const adapterZones = ADAPTERS.map(from => ({
  target: LEVELS.flat(2).filter(glob => !MAY_NAME_ADAPTERS.includes(glob)),
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
  { ignores: ['dist/', 'coverage/', '.ci/'] },
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
        { basePath: import.meta.dirname, zones: [...levelZones, ...adapterZones] },
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
              regex: String.raw`^(?!node:|\.\./src/index\.ts$)`,
              message: 'A demo imports only ../src/index.ts and node: modules.',
            },
          ],
        },
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
    ignores: LEVELS.flat(2),
    rules: {
      'no-restricted-syntax': [
        'error',
        { selector: 'Program', message: 'This file has no import level: give it one in LEVELS, eslint.config.js.' },
      ],
    },
  },
)
