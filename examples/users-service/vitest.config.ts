import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    retry: 0,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Each file has a cluster of its own, of three servers.
    maxWorkers: 2,
  },
})
