/**
 * `pg-failover-lab/vitest` for the examples in this project's own tests: their clusters are in the folder, and have the names,
 * which the guard looks at. Nothing else is different.
 */
import type { TestAPI } from 'vitest'
import type { StartOptions, TestCluster } from '../../../src/vitest.ts'
import * as door from '../../../src/vitest.ts'
import { TEST_PREFIX, testEnvironment } from '../runtimes.ts'

export * from '../../../src/vitest.ts'

export const clusterTest = (options: StartOptions = {}): TestAPI<{ cluster: TestCluster }> =>
  door.clusterTest({ runtime: 'local', name: TEST_PREFIX, environment: testEnvironment('local'), ...options })
