/**
 * Rejoin: a former primary, or a standby that cannot follow any more, becomes a standby of today's primary.
 * With pg_rewind when it serves, else by a fresh clone; the result says which, and why. What no other node has is kept first.
 */
import { isLabError, LabError, throwIfInterrupted } from '../errors.ts'
import { CONTROL_FILE, parseControlFile } from '../postgres/control-file.ts'
import { lastLines } from '../runtime/command.ts'
import { waitUntil, type Condition, type Observation } from '../wait.ts'
import { requireNoTablespaces } from './tablespaces.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { libpqSource } from '../cluster/libpq-source.ts'
import type { PrimaryStatus, StandbyStatus } from '../cluster/node-status.ts'
import { streaming } from '../cluster/conditions.ts'
import { whyWalIsMissing } from './missing-wal.ts'
import { readNodeHistory } from './node-history.ts'
import { isWorthKeeping, keep, type Kept } from './salvage/keep.ts'
import { readPastFork, type PastFork } from './salvage/past-fork.ts'
import { createSlots, dropLeftoverSlots } from '../cluster/slots.ts'
import { forgetStandbySettings } from '../cluster/upstream.ts'

/** How a node came back, and why so. */
export interface Rejoined {
  readonly node: string
  readonly by: 'rewind' | 'clone'
  readonly why: string
  /** What no other node had, and was taken away from it; null when there was nothing, or it was not to be kept. */
  readonly kept: Kept | null
}

export interface RejoinOptions {
  /** Limit in milliseconds until it streams. */
  readonly timeoutMs: number
  /** Whether what only this node has is kept: see {@link readKept}. @default true */
  readonly keep?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Brings `node` back as a standby of today's primary. It is stopped first if it runs.
 * @throws LabError USAGE when it is the primary; SALVAGE_FAILED when what only it has can be neither read nor kept; TIMEOUT,
 * NODE_FAILED, CLONE_FAILED, NO_PRIMARY
 * @example
 * ```ts
 * const { by, why } = await rejoin(cluster, 'primary', { timeoutMs: 60_000 })
 * ```
 */
export async function rejoin(cluster: Cluster, name: string, options: RejoinOptions): Promise<Rejoined> {
  const { runtime } = cluster
  const { timeoutMs, signal } = options
  const node = cluster.node(name).name
  const primary = await cluster.primary(signal)
  requireOther(node, primary)
  requireNoTablespaces(primary)
  await standDown(cluster, node, signal)
  await prepareSource(cluster, primary.name, options)
  const attempt = { cluster, node, primary, kept: null, signal }
  if ((await runtime.state(node)) === 'absent') return await clone(attempt, { why: 'it had no data', timeoutMs })
  if (await runtime.isDiscarded(node)) return await clone(attempt, { why: 'its data was discarded', timeoutMs })
  const past = await readPastFork(cluster, node, { ...options, names: false })
  const why = await whyNoRewind(cluster, past)
  const isKept = options.keep !== false && past !== null && isWorthKeeping(past)
  const kept = isKept ? await keep(cluster, past, { by: why === undefined ? 'copy' : 'move', signal }) : null
  if (why !== undefined) return await clone({ ...attempt, kept }, { why, timeoutMs })
  return await rewindOrClone({ ...attempt, kept }, { timeoutMs, hasPast: (past?.walBytes ?? 0) > 0 })
}

/** @throws LabError USAGE */
export function requireOther(node: string, primary: PrimaryStatus): void {
  if (node !== primary.name) return
  throw new LabError('USAGE', `${node} is the primary, which the others follow`, {
    hint: 'pnpm run status shows the roles; a node that does not stream can be rejoined.',
  })
}

async function whyNoRewind({ runtime }: Cluster, past: PastFork | null): Promise<string | undefined> {
  if (!(await runtime.offers('pg_rewind'))) return 'this PostgreSQL comes without pg_rewind'
  if (past === null || past.isRewindable) return undefined
  return `its timeline ${past.timeline} is another than that of ${past.primary.name}, of the same number: pg_rewind would do nothing`
}

async function rewindOrClone(
  attempt: Attempt,
  { timeoutMs, hasPast }: { readonly timeoutMs: number; readonly hasPast: boolean },
): Promise<Rejoined> {
  const { cluster, node, primary, kept, signal } = attempt
  const { runtime } = cluster
  const rewound = await rewind(attempt)
  if (rewound.exitCode !== 0) return await clone(attempt, { why: `pg_rewind failed: ${rewound.said}`, timeoutMs })
  if (hasPast && !(await wasRewound(cluster, node, primary)))
    return await clone(attempt, { why: `pg_rewind did nothing: ${rewound.said}`, timeoutMs })
  try {
    await startAndStream(attempt, Math.min(timeoutMs, REWOUND_STREAMS_MS))
    return { node, by: 'rewind', why: rewound.said, kept }
  } catch (error) {
    if (!isLabError(error, 'TIMEOUT') && !isLabError(error, 'NODE_FAILED')) throw error
    if ((await runtime.state(node)) === 'running') await runtime.stop(node, 'fast', { signal })
    return await clone(attempt, { why: `after pg_rewind it did not stream: ${error.message}`, timeoutMs })
  }
}

/** After a rewind, pg_control says that the node must replay the source's timeline. "No rewind required" is a success, too. */
async function wasRewound({ runtime }: Cluster, node: string, { timeline }: PrimaryStatus): Promise<boolean> {
  const { minRecoveryEnd } = parseControlFile((await runtime.readData(node, CONTROL_FILE)) ?? new Uint8Array())
  return minRecoveryEnd?.timeline === timeline
}

/** Ends the node's server if it runs; one that accepts writes, beside another or alone, is fenced too. */
export async function standDown(cluster: Cluster, node: string, signal?: AbortSignal): Promise<void> {
  const { runtime } = cluster
  const state = await runtime.state(node)
  if (state === 'frozen') await runtime.crash(node)
  if (state !== 'running') return
  const { role } = await cluster.nodeStatus(node, signal)
  cluster.emit({ kind: 'command', node, text: await runtime.stop(node, 'fast', { signal }) })
  if (role === 'primary') cluster.emit({ kind: 'command', node, text: await runtime.fence(node) })
}

/** A rewound standby streams within a second; much later than this it never will. */
const REWOUND_STREAMS_MS = 15_000

interface Attempt {
  readonly cluster: Cluster
  readonly node: string
  readonly primary: PrimaryStatus
  readonly kept: Kept | null
  readonly signal: AbortSignal | undefined
}

/** Slots for those who follow, nothing of what it was told as a standby; and a checkpoint. */
async function prepareSource(cluster: Cluster, primary: string, options: RejoinOptions): Promise<void> {
  await using session = await cluster.connect(primary, { signal: options.signal })
  await createSlots(cluster, primary, session)
  await forgetStandbySettings(cluster, primary, options)
  // CHECKPOINT first: until then pg_control still says the old timeline, and pg_rewind answers "no rewind required".
  cluster.emit({ kind: 'sql', node: primary, text: 'CHECKPOINT' })
  await session.query('CHECKPOINT', [], { timeoutMs: 60_000 })
}

async function rewind({
  cluster,
  node,
  primary,
  signal,
}: Attempt): Promise<{ readonly exitCode: number; readonly said: string }> {
  const { runtime } = cluster
  const source = libpqSource(cluster, primary.name)
  cluster.emit({ kind: 'command', node, text: `pg_rewind --target-pgdata $PGDATA --source-server "${source}"` })
  const { timelines } = await readNodeHistory(cluster, primary.name, signal)
  const args = [source, timelines.map(({ timeline }) => timeline).join(' ')]
  const script = ['bash', '-c', 'exec bash "$SCRIPTS/rewind.sh" "$@"', 'rewind', ...args] as const
  const { exitCode, stdout, stderr } = await runtime.runOffline(node, [...script], { signal })
  // What was ended for it has not failed.
  throwIfInterrupted(signal)
  return { exitCode, said: lastLines(stdout + stderr, exitCode === 0 ? 1 : 3).replaceAll('pg_rewind: ', '') }
}

async function clone(
  attempt: Attempt,
  { why, timeoutMs }: { readonly why: string; readonly timeoutMs: number },
): Promise<Rejoined> {
  const { cluster, node, kept } = attempt
  cluster.emit({ kind: 'remark', text: `${node} is cloned anew: ${why}` })
  await cluster.runtime.discard(node)
  await startAndStream(attempt, timeoutMs)
  return { node, by: 'clone', why, kept }
}

async function startAndStream({ cluster, node, primary, signal }: Attempt, timeoutMs: number): Promise<void> {
  cluster.emit({ kind: 'command', node, text: await cluster.runtime.start(node, { signal }) })
  const hint = `pnpm run logs ${node} shows what holds it up.`
  await waitUntil(streamsOrNeverWill(cluster, node, primary.name), { timeoutMs, signal, hint })
  await dropLeftoverSlots(cluster, node, signal)
}

/** @throws LabError NODE_FAILED when the primary has not the WAL that it needs */
function streamsOrNeverWill(cluster: Cluster, node: string, primary: string): Condition<StandbyStatus> {
  const streams = streaming(cluster, node, primary)
  const observe = async (signal: AbortSignal): Promise<Observation<StandbyStatus>> => {
    const seen = await streams.observe(signal)
    const status = seen.met ? undefined : await cluster.nodeStatus(node, signal)
    if (status?.role !== 'standby') return seen
    const why = await whyWalIsMissing(cluster, status, { primary, signal })
    if (why !== undefined) throw new LabError('NODE_FAILED', why, { hint: `Clone it anew: pnpm run up does that.` })
    return seen
  }
  return { what: streams.what, observe }
}
