/**
 * The figures that people watch for lag, looked at again and again in three situations beside the truth: what was
 * acknowledged and is not visible on the standby, known from the client's own commits.
 */
import { cutFromWal } from '../../faults/replication.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { standbysOf } from '../../cluster/node-status.ts'
import { healthy } from '../../cluster/conditions.ts'
import { LabError } from '../../errors.ts'
import { AGREEMENT, judgeLooks, type LiarsDocument, type Reading } from '../../measure/liars.ts'
import { pause, waitUntil } from '../../wait.ts'
import { HEARTBEAT, Observer, type Seen } from './observer.ts'

/** Nothing is written; much is written; the standby is cut off while the primary goes on. */
export const situations = ['idle', 'burst', 'disconnected'] as const
export type Situation = (typeof situations)[number]

export interface LiarsOptions {
  readonly situations: readonly Situation[]
  /** Limit in milliseconds of each thing that is waited for. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** For so long each situation lasts: long against every interval in it, short against a person's patience. */
const SITUATION_MS = 2_000
/** Looked at for so long, when the situation is there: some twenty looks, twice what a verdict needs. */
const LOOK_FOR_MS = 1_000
/** A look takes some milliseconds, and one at two servers is not of one instant. */
const TOLERANCE = { ms: 10, bytes: 128 * 1024 }

/** @throws LabError NO_CANDIDATE when there is no standby; TIMEOUT; INTERRUPTED */
export async function runLiars(cluster: Cluster, options: LiarsOptions): Promise<LiarsDocument> {
  const { signal } = options
  const primary = await cluster.primary(signal)
  const node = standbysOf(await cluster.status(signal)).at(-1)?.name
  if (node === undefined)
    throw new LabError('NO_CANDIDATE', 'there is no standby to look at', { hint: 'pnpm run up brings them back.' })
  await using observer = await Observer.open(cluster, { primary: primary.name, node, signal })
  const readings: Reading[] = []
  for (const situation of options.situations) {
    cluster.emit({ kind: 'progress', text: `${situation}: ${SITUATION_MS / 1000} s` })
    const seen = await SCENES[situation](cluster, observer, options)
    readings.push(...seen.map(metric => readingOf(metric, { situation, node })))
  }
  return {
    version: 1,
    runtime: cluster.runtime.name,
    postgresVersion: primary.serverVersion,
    tolerance: TOLERANCE,
    agreement: AGREEMENT,
    readings,
  }
}

function readingOf(
  { metric, unit, looks, beatMs }: Seen,
  where: { readonly situation: Situation; readonly node: string },
): Reading {
  // A heartbeat is as old as it beats apart, also where nothing is missing: finer it cannot tell.
  const tolerance = TOLERANCE[unit] + (metric === HEARTBEAT ? Math.ceil(beatMs) : 0)
  // Where nothing is missing, 0 is right by itself: in the other two only the looks that saw something missing count.
  const counting = where.situation === 'idle' ? looks : looks.filter(({ truth }) => truth.least > tolerance)
  return { ...where, metric, unit, ...judgeLooks(counting, tolerance) }
}

type Scene = (cluster: Cluster, observer: Observer, options: LiarsOptions) => Promise<readonly Seen[]>

const SCENES: Readonly<Record<Situation, Scene>> = {
  idle: async (cluster, observer, { timeoutMs, signal }) => {
    await observer.beat()
    await waitUntil(healthy(cluster), { timeoutMs, signal })
    await pause(SITUATION_MS, signal)
    const quiet = await observer.watch(LOOK_FOR_MS, { signal })
    // The heartbeat is a write: with it nothing is idle, so it is read by itself.
    const beating = await observer.watch(LOOK_FOR_MS, { isBeating: true, signal })
    return [
      ...quiet.filter(({ metric }) => metric !== HEARTBEAT),
      ...beating.filter(({ metric }) => metric === HEARTBEAT),
    ]
  },
  burst: async (_cluster, observer, { signal }) =>
    await observer.watch(SITUATION_MS, { isBeating: true, isWriting: true, signal }),
  disconnected: async (cluster, observer, { timeoutMs, signal }) => {
    await observer.beat()
    await using cut = await cutFromWal(cluster, [observer.node], { timeoutMs, signal })
    await observer.write()
    await observer.watch(SITUATION_MS - LOOK_FOR_MS, { isBeating: true, signal })
    const seen = await observer.watch(LOOK_FOR_MS, { isBeating: true, signal })
    await cut[Symbol.asyncDispose]()
    await waitUntil(healthy(cluster), { timeoutMs, signal })
    return seen
  },
}
