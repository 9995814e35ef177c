/**
 * The truth test: does the instrument tell the truth about outage and loss? A prober that was written apart from it
 * (test/support/prober.ts) runs beside it, against the same servers at the same time, and must agree.
 */
import { afterAll, beforeAll, expect, test, type TestContext } from 'vitest'
import { temporarySynchronous } from '../../src/operations/synchronous.ts'
import { up, type Cluster } from '../../src/index.ts'
import { runTrial, type TrialResult } from '../../src/experiments/trial.ts'
import { startProber, type Probed, type ProbedRow } from '../support/prober.ts'
import {
  ALSO_ON_DOCKER,
  describeEachRuntime,
  startTestCluster,
  TIMEOUT_MS,
  type TestRuntime,
} from '../support/runtimes.ts'

const LIMIT = { timeoutMs: TIMEOUT_MS }
const LOAD = { ratePerSecond: 500, connections: 4 }
/** Between two writes of the instrument: the part of a difference that is the instrument's own. */
const WRITE_INTERVAL_MS = 1000 / LOAD.ratePerSecond
const CUT_MS = 200
/** Twice the widest bound that was seen: some 230 ms, on two cores under a load of 9. */
const SYNCHRONOUS_CUT_MS = 500

describeEachRuntime('an independent prober', agrees, ALSO_ON_DOCKER)

function agrees(runtime: TestRuntime): void {
  // One cluster for all: bringing it up takes longer than a trial. Each test heals it first, so that their order is free.
  let cluster: Cluster | undefined
  beforeAll(async () => {
    cluster = await startTestCluster(runtime)
  })
  afterAll(async () => cluster?.[Symbol.asyncDispose]())

  test('sees the same outage as the record when the primary crashes', async context => {
    await up(cluster!, LIMIT)
    const observed = await observe(cluster!, context)
    expect(observed.record.settings).toMatchObject({ synchronous_standby_names: '' })
    expectSameOutage(observed)
    expectLossBeyondFork(observed)
  })

  test('loses exactly what it committed past the fork in the record when the standbys were cut off', async context => {
    await up(cluster!, LIMIT)
    const observed = await observe(cluster!, context, { cutMs: CUT_MS })
    const { record, probed } = observed
    expect(record.settings).toMatchObject({ synchronous_standby_names: '' })
    expect(record.verdict).toBe('lost-writes')
    expect(record.writes.lost).toBeGreaterThan(0)
    expect(record.lostIds).toHaveLength(record.writes.lost)
    expect(probed.goneIds.length).toBeGreaterThan(0)
    expectSameOutage(observed)
    expectLossBeyondFork(observed)
    expectSameLag(observed)
    expect(record.walBytesLost).toBeGreaterThan(0)
  })

  test('loses nothing under synchronous commit, and is kept waiting through the cut as the record says', async context => {
    await up(cluster!, LIMIT)
    await using _synchronous = await temporarySynchronous(cluster!, { standbys: 'one', synchronousCommit: 'on' }, LIMIT)
    const observed = await observe(cluster!, context, { cutMs: SYNCHRONOUS_CUT_MS })
    const { record, history, probed, bound } = observed
    expect(record.settings['synchronous_standby_names']).toMatch(/^FIRST 1 /)
    expect(record).toMatchObject({ verdict: 'durable', lostIds: [], synchronousCommit: 'on' })
    expect(probed.goneIds).toEqual([])
    expectLossBeyondFork(observed)
    expectSameOutage(observed)

    // Nobody is acknowledged during the cut, and nobody is told of an error: the crash comes after it. So the bound above
    // must be able to tell the right definition of the outage from the tempting one, from the first error on.
    const { writes } = history
    const firstErrorAt = Math.min(
      ...writes.flatMap(({ settledAt, outcome }) => (isAcknowledged(outcome) ? [] : [settledAt])),
    )
    const firstAfter = Math.min(
      ...writes.flatMap(({ settledAt, outcome }) =>
        isAcknowledged(outcome) && settledAt > firstErrorAt ? [settledAt] : [],
      ),
    )
    expect(probed.outageMs).toBeGreaterThan(SYNCHRONOUS_CUT_MS)
    expect(probed.outageMs - (firstAfter - firstErrorAt), 'the bound is too wide to tell').toBeGreaterThan(bound)
  })
}

interface Observed extends TrialResult {
  readonly probed: Probed
  /** How far the two figures of the outage may be apart, in milliseconds. */
  readonly bound: number
}

/** A trial of the instrument, with the prober at work before, during and after it. */
async function observe(
  cluster: Cluster,
  context: TestContext,
  options: { readonly cutMs?: number } = {},
): Promise<Observed> {
  await using prober = await startProber(cluster, LIMIT)
  const trial = await runTrial(cluster, { fault: 'crash', ...LOAD, ...options, ...LIMIT })
  await prober.acknowledges(50, { ...LIMIT, past: trial.record.oldPrimary })
  const probed = await prober.stop()
  const { record } = trial
  const isHeld = record.settings['synchronous_standby_names'] !== ''
  const bound = boundMs(probed, isHeld ? (options.cutMs ?? 0) : 0)
  await context.annotate(
    `outage ${record.outageMs} ms, by the prober ${probed.outageMs.toFixed(2)} ± ${bound.toFixed(2)} ms; ` +
      `lost ${record.writes.lost} of ${record.writes.acknowledged}, of the prober's ${probed.goneIds.length} of ${probed.rows.length}`,
  )
  expect(record).toMatchObject({ oldPrimary: probed.oldPrimary, newPrimary: probed.newPrimary })
  return { ...trial, probed, bound }
}

const isAcknowledged = ({ kind }: { readonly kind: string }): boolean => kind === 'acknowledged'

/**
 * Both clients look at the same two instants, the last at which the old primary acknowledged and the first at which the
 * new one did. How far they may be apart, in milliseconds:
 *
 * - what the prober resolves, and the instrument's own write interval;
 * - from the prober's last acknowledgement to the loss of its connection: the old primary ceased to acknowledge in between,
 *   and whatever stood still just then (this process, one server process and not another) is in it. A cut of the standbys
 *   under synchronous commit lies whole in that time, at its end, and nothing is acknowledged during it: it is taken off.
 */
const boundMs = ({ resolutionMs, lostAfterMs }: Probed, heldMs: number): number =>
  resolutionMs + WRITE_INTERVAL_MS + Math.max(0, lostAfterMs - heldMs)

function expectSameOutage({ record, probed, bound }: Observed): void {
  const difference = Math.abs(record.outageMs! - probed.outageMs)
  expect(difference, `${record.outageMs} ms, by the prober ${probed.outageMs} ms`).toBeLessThanOrEqual(bound)
}

/**
 * What is gone is what was committed past the fork, row by row. A row's commit record ends in (after, notAfter]: it was
 * sent once `after` had been written, and acknowledged before `notAfter` was asked. So a row is past the fork for certain
 * when `after` is, and on this side when `notAfter` is. The intervals of one connection follow each other without
 * overlap, so at most one row has the fork inside its own; whether that one is gone is not known beforehand.
 */
function expectLossBeyondFork({ record, probed }: Observed): void {
  const fork: bigint = record.forkLsn!
  const gone = new Set(probed.goneIds)
  const old = probed.rows.filter(({ node }) => node === probed.oldPrimary)
  const past = old.filter(({ after }) => after >= fork)
  const before = old.filter(({ notAfter }) => notAfter !== undefined && notAfter <= fork)
  expect(
    past.filter(({ id }) => !gone.has(id)),
    'committed past the fork, and there',
  ).toEqual([])
  expect(
    before.filter(({ id }) => gone.has(id)),
    'committed before the fork, and gone',
  ).toEqual([])
  expect(old.length - past.length - before.length, 'with the fork in their interval').toBeLessThanOrEqual(1)
  const ofNew = probed.rows.filter(({ node }) => node !== probed.oldPrimary)
  expect(
    ofNew.filter(({ id }) => gone.has(id)),
    'acknowledged by the new primary, and gone',
  ).toEqual([])
  expectEndOfWal(fork + BigInt(record.walBytesLost!), old.at(-1)!)
}

/**
 * The old primary's WAL reached past the position at which the last row was sent, for it was flushed before it was
 * acknowledged; and not much further, for it died within a moment. A mebibyte is far less than the segment of 16 that the
 * file is filled up to, and far more than two clients and a background process write in that moment.
 */
function expectEndOfWal(end: bigint, { after }: ProbedRow): void {
  expect(end).toBeGreaterThan(after)
  expect(end - after).toBeLessThan(1024n * 1024n)
}

/** The instrument looks at positions this often. */
const LOOK_EVERY_MS = 5
/** A standby may have received the beginning of one more record, which it cannot replay; with a page image it is that long. */
const RECORD_BYTES = 8192 + 512

/** The lag at the fault: bytes and milliseconds that the new primary was behind, as the prober's rows tell them. */
function expectSameLag({ record, probed, milestones: { faultAt } }: Observed): void {
  const lag = record.lagAtFault[record.newPrimary]!
  const fork: bigint = record.forkLsn!
  const old = probed.rows.filter(({ node }) => node === probed.oldPrimary)
  const since = old.find(({ after }) => after >= fork)!.at
  expect(Math.abs(lag.ms - (faultAt - since)), 'milliseconds of lag').toBeLessThanOrEqual(
    probed.resolutionMs + LOOK_EVERY_MS,
  )

  const seenBy = faultAt - lag.sampleAgeMs - probed.resolutionMs
  const least = (old.findLast(({ at }) => at <= seenBy) ?? old[0]!).after - fork
  expect(lag.bytes).toBeGreaterThanOrEqual(Number(least) - RECORD_BYTES)
  const most = old.find(({ at, notAfter }) => at >= faultAt && notAfter !== undefined)?.notAfter
  if (most !== undefined) expect(lag.bytes).toBeLessThanOrEqual(Number(most - fork))
}
