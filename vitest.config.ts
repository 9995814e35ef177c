import { randomBytes } from 'node:crypto'
import { defineConfig } from 'vitest/config'
import { readmePlugin } from './test/support/readme-plugin.ts'

// Two runs beside each other must not take each other's clusters for leftovers.
process.env['LAB_TEST_RUN'] ??= randomBytes(2).toString('hex')

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
          include: ['test/lab/**/*.test.ts', 'test/demos.test.ts'],
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
