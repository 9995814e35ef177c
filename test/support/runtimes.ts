/**
 * On what the lab tests run: every runtime that this machine has. One that is missing is said, and with
 * LAB_REQUIRE_RUNTIMES=docker,local a missing one fails the run.
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, inject, test } from 'vitest'
import {
  startCluster,
  startTemporaryCluster,
  switchover,
  up,
  type Cluster,
  type StartOptions,
  type TemporaryClusterOptions,
  type TestCluster,
} from '../../src/index.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** `npm` is the local runtime on the npm package's PostgreSQL, which has neither pg_basebackup nor pg_rewind nor psql. */
export type TestRuntime = 'docker' | 'local' | 'npm'

/** Everything the tests make is named so; the guard in global-setup.ts looks for what is left. */
export const TEST_PREFIX = `labtest-${process.env['LAB_TEST_RUN']}`
export const TEST_STATE_DIR = join(temporaryFolder(), TEST_PREFIX)
export const TIMEOUT_MS = 90_000

/** The contract of the port, and whatever each of them does its own way. */
export const ON_EVERY_RUNTIME: readonly TestRuntime[] = ['docker', 'local', 'npm']
/**
 * A procedure, once: in containers it goes through other networks, addresses and process tables, and programs for a stopped
 * node run in a container of their own. What else may become of it is the same code, and is tested where a cluster is cheap.
 */
export const ALSO_ON_DOCKER: readonly TestRuntime[] = ['docker', 'local']

/** The same tests on each of these runtimes. */
export function describeEachRuntime(
  name: string,
  tests: (runtime: TestRuntime) => void,
  runtimes: readonly TestRuntime[] = ['local'],
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

/** A cluster of the test's own; from a template, unless it is the only one of its kind. */
export async function startTestCluster(
  runtime: TestRuntime,
  options: Partial<TemporaryClusterOptions> = {},
): Promise<Cluster> {
  const environment = { ...testEnvironment(runtime), ...options.environment }
  return await startTemporaryCluster({
    timeoutMs: TIMEOUT_MS,
    name: TEST_PREFIX,
    fromTemplate: options.environment === undefined && options.file === undefined,
    ...options,
    runtime: runtime === 'docker' ? 'docker' : 'local',
    environment,
  })
}

/** The cluster as a test of somebody else's application has it: an object with an address. */
export const startAsStranger = (runtime: TestRuntime, options: StartOptions = {}): Promise<TestCluster> =>
  startCluster({
    ...{ name: TEST_PREFIX, environment: testEnvironment(runtime), timeoutMs: TIMEOUT_MS },
    runtime: runtime === 'docker' ? 'docker' : 'local',
    ...options,
  })

/**
 * One cluster for tests of a `describe`. Whoever asks for it gets it brought back, so that the tests have no order: every
 * node streams from `primary`, and no table of another test is there. Its timeline is whatever it has come to.
 */
export function shareTestCluster(runtime: TestRuntime): () => Promise<Cluster> {
  let cluster: Cluster | undefined
  beforeAll(async () => {
    cluster = await startTestCluster(runtime)
  })
  afterAll(async () => cluster?.[Symbol.asyncDispose]())
  return async () => {
    const { name } = await up(cluster!, { timeoutMs: TIMEOUT_MS })
    if (name !== 'primary') await switchover(cluster!, { to: 'primary', timeoutMs: TIMEOUT_MS })
    await cluster!.query('primary', DROP_TABLES, { as: 'superuser' })
    return cluster!
  }
}

const DROP_TABLES = `DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT format('%I', tablename) FROM pg_tables WHERE schemaname = 'public' LOOP
    EXECUTE 'DROP TABLE ' || name || ' CASCADE';
  END LOOP; END $$`

/** The environment in which the lab uses that runtime and keeps its files apart. */
export const testEnvironment = (runtime: TestRuntime): Record<string, string | undefined> => ({
  ...process.env,
  LAB_STATE_DIR: TEST_STATE_DIR,
  ...(runtime === 'npm' ? { LAB_PG_BIN: 'npm' } : {}),
  // Three programs a second are much for two cores, and the lab asks the servers itself.
  ...(runtime === 'docker' ? { HEALTHCHECK_INTERVAL: '30s' } : {}),
})
