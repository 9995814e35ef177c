import { randomBytes } from 'node:crypto'
import { defineConfig } from 'vitest/config'

// Two runs beside each other must not take each other's clusters for leftovers.
process.env['LAB_TEST_RUN'] ??= randomBytes(2).toString('hex')

export default defineConfig({
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
          name: 'lab',
          include: ['test/lab/**/*.test.ts', 'test/demos.test.ts'],
          // One file after another, and none beside the unit tests: what is measured is time.
          sequence: { groupOrder: 1 },
          fileParallelism: false,
          pool: 'forks',
          globalSetup: ['test/support/global-setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
