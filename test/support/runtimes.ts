/**
 * On what the lab tests run: every runtime that this machine has. One that is missing is said, and with
 * LAB_REQUIRE_RUNTIMES=docker,local a missing one fails the run.
 */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, inject, test } from 'vitest'
import { startTemporaryCluster, type Cluster, type TemporaryClusterOptions } from '../../src/index.ts'

/** `npm` is the local runtime on the npm package's PostgreSQL, which has neither pg_basebackup nor pg_rewind nor psql. */
export type TestRuntime = 'docker' | 'local' | 'npm'

/** Everything the tests make is named so; the guard in global-setup.ts looks for what is left. */
export const TEST_PREFIX = `labtest-${process.env['LAB_TEST_RUN']}`
export const TEST_STATE_DIR = join(tmpdir(), TEST_PREFIX)
export const TIMEOUT_MS = 90_000

/** The same tests on each runtime. */
export function describeEachRuntime(
  name: string,
  tests: (runtime: TestRuntime) => void,
  runtimes: readonly TestRuntime[] = ['docker', 'local', 'npm'],
): void {
  for (const runtime of runtimes) {
    const missing = inject('missing')[runtime]
    describe(`${name} (${runtime})`, () => {
      if (missing === undefined) tests(runtime)
      // Said in the title and at the start of the run; LAB_REQUIRE_RUNTIMES makes it a failure, and CI sets that.
      else test.skip(`left out: ${missing}`, () => undefined)
    })
  }
}

/** A cluster of the test's own. */
export async function startTestCluster(
  runtime: TestRuntime,
  options: Partial<TemporaryClusterOptions> = {},
): Promise<Cluster> {
  const environment = { ...testEnvironment(runtime), ...options.environment }
  return await startTemporaryCluster({
    timeoutMs: TIMEOUT_MS,
    name: TEST_PREFIX,
    ...options,
    runtime: runtime === 'docker' ? 'docker' : 'local',
    environment,
  })
}

/** The environment in which the lab uses that runtime and keeps its files apart. */
export const testEnvironment = (runtime: TestRuntime): Record<string, string | undefined> => ({
  ...process.env,
  LAB_STATE_DIR: TEST_STATE_DIR,
  ...(runtime === 'npm' ? { LAB_PG_BIN: 'npm' } : {}),
  // Three programs a second are much for two cores, and the lab asks the servers itself.
  ...(runtime === 'docker' ? { HEALTHCHECK_INTERVAL: '30s' } : {}),
})
