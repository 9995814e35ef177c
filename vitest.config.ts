import { randomBytes } from 'node:crypto'
import { defineConfig } from 'vitest/config'
import { readmePlugin } from './test/support/readme-plugin.ts'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

// Two runs beside each other must not take each other's clusters for leftovers.
process.env['LAB_TEST_RUN'] ??= randomBytes(2).toString('hex')

/** These take a minute and more; begun last, one of them would go on alone. */
const LONG = [
  ...['patroni', 'drivers', 'users-service', 'lessons', 'rejoin', 'faults', 'consumer', 'errors', 'salvage', 'runtime'],
  ...['stack-chaos', 'compare', 'library', 'interrupt', 'chaos', 'cli', 'demos', 'compose', 'members'],
]

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification): boolean =>
      LONG.some(name => moduleId.endsWith(`/${name}.test.ts`))
    const sorted = await super.sort(files)
    return [...sorted.filter(isLong), ...sorted.filter(file => !isLong(file))]
  }
}

const MEASURED = ['test/lab/lag.test.ts', 'test/lab/truth.test.ts']

const onServers = {
  pool: 'forks' as const,
  globalSetup: ['test/support/global-setup.ts'],
  testTimeout: 120_000,
  hookTimeout: 120_000,
}

export default defineConfig({
  plugins: [readmePlugin],
  test: {
    retry: 0,
    // However the tests were started, the commands in them are typed as the documents have them: see src/cli/as-typed.ts.
    env: {
      npm_config_user_agent: 'pnpm/10.0.0',
      npm_package_name: 'pg-failover-lab',
      npm_command: 'run',
      npm_lifecycle_event: 'lab',
    },
    sequence: { sequencer: LongFirst },
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['test/unit/**/*.test.ts'], sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        test: {
          ...onServers,
          name: 'lab',
          include: ['test/lab/**/*.test.ts', 'test/demos.test.ts', 'examples/library/*.test.ts'],
          exclude: MEASURED,
          sequence: { groupOrder: 1 },
          // Most of the time a server is waited for: two files side by side are done in little more than half the time.
          maxWorkers: 2,
        },
      },
      {
        extends: true,
        // One file after another, and none beside the others: what is measured is time.
        test: {
          ...onServers,
          name: 'measured',
          include: MEASURED,
          sequence: { groupOrder: 2 },
          fileParallelism: false,
        },
      },
    ],
  },
})
