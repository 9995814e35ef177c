/**
 * The control: the lab's own client connects again and again while the subjects are observed. Where that is slow, it is the
 * machine that is measured, and not the drivers.
 */
import { LabError, met, notMet, waitUntil, type TestCluster } from 'pg-failover-lab'

interface ControlOptions {
  /** The node that takes writes. */
  readonly node: string
  readonly ms: number
  readonly signal: AbortSignal
}

const EVERY_MS = 500
/** Half of what the mended subjects wait for a connection. */
const SLOW_MS = 1_000
const LIMIT_MS = 60_000

/** Passes the time. @throws LabError TIMEOUT when a new connection, and one answer, took longer than a second */
export async function observeWithControl(cluster: TestCluster, { node, ms, signal }: ControlOptions): Promise<void> {
  const end = performance.now() + ms
  let slowestMs = 0
  const observe = async () => {
    const from = performance.now()
    await cluster.query('SELECT 1', [], { node })
    slowestMs = Math.max(slowestMs, performance.now() - from)
    return performance.now() >= end ? met(undefined) : notMet(`the slowest connection took ${Math.round(slowestMs)} ms`)
  }
  const over = { what: 'the observation to end', observe }
  await waitUntil(over, { timeoutMs: ms + LIMIT_MS, intervalMs: EVERY_MS, signal })
  if (slowestMs <= SLOW_MS) return
  throw new LabError(
    'TIMEOUT',
    `the machine was too busy: the lab itself waited ${Math.round(slowestMs)} ms for a connection`,
    {
      hint: 'Nothing can be said of drivers then. Try again when less runs on it, or with a smaller --together.',
    },
  )
}
