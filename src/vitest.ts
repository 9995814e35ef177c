/**
 * The door for vitest: a cluster as a fixture, and matchers. vitest is the caller's own.
 * https://vitest.dev/guide/test-context.html, https://vitest.dev/guide/extending-matchers.html
 */
import { expect, test, vi, type TestAPI } from 'vitest'
import { healthy } from './cluster/conditions.ts'
import type { Send } from './client/load.ts'
import type { LoadOutcome } from './measure/load.ts'
import type { TestCluster } from './testing/cluster.ts'
import {
  hasDuplicatedNothing,
  hasLost,
  hasLostNothing,
  hasRecoveredWithin,
  type Expectation,
} from './testing/expectations.ts'
import { startCluster, type StartOptions } from './testing/start.ts'
import { throughFailover, type SurvivalOptions } from './testing/survive.ts'

/** What a test may take: of a clean start, or of a container's first pull. */
const TEST_TIMEOUT_MS = 120_000
const HOOK_TIMEOUT_MS = 300_000

/**
 * A `test` whose fixture `cluster` is a cluster of this file alone: started with the first test that asks for it, as it was at
 * its start before each of the others, and gone at the end. The tests of this file may take two minutes each, unless they say
 * otherwise.
 * @example
 * ```ts
 * const test = clusterTest({ schema: 'CREATE TABLE orders (id text PRIMARY KEY)' })
 * test('a switchover loses nothing', async ({ cluster }) => {
 *   await cluster.switchover()
 * })
 * ```
 */
export function clusterTest(options: StartOptions = {}): TestAPI<{ cluster: TestCluster }> {
  vi.setConfig({ testTimeout: TEST_TIMEOUT_MS, hookTimeout: HOOK_TIMEOUT_MS })
  return test
    .extend<{ started: { readonly cluster: TestCluster; isUsed: boolean } }>({
      started: [
        // eslint-disable-next-line no-empty-pattern -- vitest reads the pattern to know what a fixture needs
        async ({}, use) => {
          await using cluster = await startCluster(options)
          await use({ cluster, isUsed: false })
        },
        { scope: 'file' },
      ],
    })
    .extend<{ cluster: TestCluster }>({
      cluster: async ({ started }, use) => {
        if (started.isUsed) await started.cluster.reset()
        started.isUsed = true
        await use(started.cluster)
      },
    })
}

/** Beside {@link SurvivalOptions}: what is still good enough. */
export type SurvivalLimits = SurvivalOptions & {
  readonly maxOutageMs: number
  /** @default 0 */
  readonly maxLostWrites?: number | undefined
}

interface LabMatchers<R = unknown> {
  /** Of an outcome: every acknowledged request is there. Fails, too, where that was not put to the test. */
  toHaveLostNothing(): R
  /** Of an outcome: so many acknowledged requests are gone, or as many as the predicate allows. */
  toHaveLost(lost: number | ((lost: number) => boolean)): R
  /** Of an outcome: no id is there twice. */
  toHaveDuplicatedNothing(): R
  /** Of an outcome: requests were acknowledged again after so many milliseconds at most. */
  toHaveRecoveredWithin(ms: number): R
  /** Of a cluster, with await: one primary, and every other node streams from it. */
  toBeStreaming(): Promise<R>
  /** Of a request (`(id, signal) => Promise`), with await: it is put through a failover, and judged. */
  toSurviveFailover(limits: SurvivalLimits): Promise<R>
}

declare module 'vitest' {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type, @typescript-eslint/no-explicit-any -- as vitest documents it
  interface Matchers<T = any> extends LabMatchers<T> {}
}

expect.extend({
  toHaveLostNothing: (outcome: LoadOutcome) => hasLostNothing(outcome),
  toHaveLost: (outcome: LoadOutcome, lost: number | ((lost: number) => boolean)) => hasLost(outcome, lost),
  toHaveDuplicatedNothing: (outcome: LoadOutcome) => hasDuplicatedNothing(outcome),
  toHaveRecoveredWithin: (outcome: LoadOutcome, ms: number) => hasRecoveredWithin(outcome, ms),
  toBeStreaming: (cluster: TestCluster) => isStreaming(cluster),
  toSurviveFailover: (send: Send, limits: SurvivalLimits) => survives(send, limits),
})

async function isStreaming({ core }: TestCluster): Promise<Expectation> {
  const seen = await healthy(core).observe(new AbortController().signal)
  return { pass: seen.met, message: () => (seen.met ? 'every node streams from the primary' : seen.seen) }
}

/** The first that does not hold tells; all tell the same record. */
async function survives(
  send: Send,
  { maxOutageMs, maxLostWrites = 0, ...options }: SurvivalLimits,
): Promise<Expectation> {
  const outcome = await throughFailover(send, options)
  const all = [
    hasRecoveredWithin(outcome, maxOutageMs),
    maxLostWrites === 0 ? hasLostNothing(outcome) : hasLost(outcome, lost => lost <= maxLostWrites),
    hasDuplicatedNothing(outcome),
  ]
  return all.find(({ pass }) => !pass) ?? { pass: true, message: () => hasLostNothing(outcome).message() }
}

export type { TestCluster } from './testing/cluster.ts'
export type { StartOptions } from './testing/start.ts'
