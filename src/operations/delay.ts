/**
 * A delayed standby: it receives WAL at once, and applies a transaction only so long after its commit. What was dropped by
 * mistake is still there meanwhile: pause its replay, copy the table back to the primary, let it go on.
 * https://www.postgresql.org/docs/current/runtime-config-replication.html#GUC-RECOVERY-MIN-APPLY-DELAY
 *
 * Four things to know. Only commits wait, and everything behind the first that does: the lock of a DROP is applied as soon
 * as the commit before it is, and from then on nobody can read the table there. Promoted, the standby applies at once
 * whatever it has received, the mistake too. While it waits it takes
 * over no other upstream, and after a restart it streams only when it has applied what it has: until then its slot retains
 * WAL on the primary. And a commit with synchronous_commit=remote_apply that waits for it waits out the delay.
 */
import { undoable } from '../dispose.ts'
import { codeOf, isLabError } from '../errors.ts'
import { formatDuration } from '../postgres/duration.ts'
import { formatLsn, type Lsn } from '../postgres/lsn.ts'
import { met, notMet, waitUntil, type Condition } from '../wait.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { requireStandby, type StandbyStatus } from '../cluster/node-status.ts'
import { caughtUp, describeStatus, requireAlive } from '../cluster/conditions.ts'
import { changeSettings, restoreSettings, type ChangeOptions } from '../cluster/settings.ts'

export interface DelayOptions extends ChangeOptions {
  /** In milliseconds; 0 ends the delay. */
  readonly byMs: number
}

/**
 * Lets a standby apply transactions later than it receives them, from now on and after restarts, until it is cloned, rewound
 * or promoted.
 * @throws LabError UNKNOWN_NODE when it is the primary; UNREACHABLE, TIMEOUT
 * @example
 * ```ts
 * await delayReplay(cluster, 'replica2', { byMs: 60_000, timeoutMs: 10_000 })
 * ```
 */
export async function delayReplay(
  cluster: Cluster,
  node: string,
  { byMs, ...options }: DelayOptions,
): Promise<StandbyStatus> {
  const { name } = cluster.node(node)
  await standbyNow(cluster, name, options.signal)
  const value = byMs === 0 ? null : formatDuration(byMs)
  await changeSettings(cluster, name, { settings: { recovery_min_apply_delay: value }, ...options })
  return await standbyNow(cluster, name, options.signal)
}

/** Only this node is asked: another one may stand still. */
const standbyNow = async (cluster: Cluster, name: string, signal: AbortSignal | undefined): Promise<StandbyStatus> =>
  requireStandby([await cluster.nodeStatus(name, signal)], name)

/**
 * Pauses replay on a standby; it goes on receiving. Returns when nothing more is applied. Disposing of what it returns lets
 * replay go on, also after Ctrl-C.
 * @throws LabError UNKNOWN_NODE when it is the primary; UNREACHABLE, TIMEOUT
 * @example
 * ```ts
 * await using _paused = await pauseReplay(cluster, 'replica1', { timeoutMs: 10_000 })
 * ```
 */
export async function pauseReplay(cluster: Cluster, node: string, options: ChangeOptions): Promise<AsyncDisposable> {
  const { name } = cluster.node(node)
  await standbyNow(cluster, name, options.signal)
  const pause = async (): Promise<void> => {
    await cluster.query(name, 'SELECT pg_wal_replay_pause()', { as: 'superuser', signal: options.signal })
    await waitUntil(appliesNothing(cluster, name), options)
  }
  return await undoable(pause, () => resumeReplay(cluster, name))
}

/**
 * Lets a standby apply everything up to a position at once, and nothing from there on: just before the mistake, which
 * pg_waldump finds by its lock. A restart is needed for it. Disposing of what it returns restarts the standby once more,
 * with the delay that it had, also after Ctrl-C.
 * @throws LabError UNKNOWN_NODE when it is the primary; UNREACHABLE, TIMEOUT
 * @example
 * ```ts
 * const { currentLsn } = await cluster.primary()
 * await using _stands = await replayUntil(cluster, 'replica2', { lsn: currentLsn, timeoutMs: 60_000 })
 * ```
 */
export async function replayUntil(
  cluster: Cluster,
  node: string,
  { lsn, ...options }: ChangeOptions & { readonly lsn: Lsn },
): Promise<AsyncDisposable> {
  const { name } = cluster.node(node)
  const { recoveryMinApplyDelayMs: ms } = await standbyNow(cluster, name, options.signal)
  const before = { ...NO_TARGET, recovery_min_apply_delay: ms === 0 ? null : formatDuration(ms) }
  const heal = async (): Promise<void> => {
    await restoreSettings(cluster, name, { settings: before, timeoutMs: options.timeoutMs })
    if ((await cluster.runtime.state(name)) !== 'running') return
    await restart(cluster, name)
    await waitUntil(answers(cluster, name), { timeoutMs: options.timeoutMs })
  }
  const replay = async (): Promise<void> => {
    for (const [setting, value] of Object.entries({ ...TARGET, recovery_target_lsn: formatLsn(lsn) })) {
      await cluster.query(name, `ALTER SYSTEM SET ${setting} TO '${value}'`, {
        as: 'superuser',
        signal: options.signal,
      })
    }
    await restart(cluster, name)
    // It pauses when it comes upon a record from there on; while there is none, it waits for one.
    await waitUntil(caughtUp(cluster, name, lsn), options)
  }
  return await undoable(replay, heal)
}

// https://www.postgresql.org/docs/current/runtime-config-wal.html#RUNTIME-CONFIG-WAL-RECOVERY-TARGET
const TARGET = { recovery_target_inclusive: 'off', recovery_target_action: 'pause', recovery_min_apply_delay: '0' }
const NO_TARGET = { recovery_target_lsn: null, recovery_target_inclusive: null, recovery_target_action: null }

async function restart(cluster: Cluster, name: string): Promise<void> {
  cluster.emit({ kind: 'command', node: name, text: await cluster.runtime.stop(name, 'fast') })
  cluster.emit({ kind: 'command', node: name, text: await cluster.runtime.start(name) })
}

const answers = (cluster: Cluster, name: string): Condition<undefined> => ({
  what: `${name} to answer again`,
  observe: async signal => {
    const status = await cluster.nodeStatus(name, signal)
    await requireAlive(cluster, status)
    return status.role === 'unreachable' ? notMet(describeStatus(status)) : met(undefined)
  },
})

/**
 * Lets replay go on. Does nothing to a node that is down, or is no standby any more: neither has anything paused.
 * Nor to one that stands at a recovery target: there it would end recovery, and be a second primary.
 * @example
 * ```ts
 * await resumeReplay(cluster, 'replica1')
 * ```
 */
export async function resumeReplay(cluster: Cluster, node: string): Promise<void> {
  try {
    if (await hasTarget(cluster, node)) return
    await cluster.query(node, 'SELECT pg_wal_replay_resume()', { as: 'superuser' })
  } catch (error) {
    if (!isLabError(error, 'UNREACHABLE') && codeOf(error) !== NOT_IN_RECOVERY) throw error
  }
}

/** What a lab that was killed has left of {@link pauseReplay}, or of {@link replayUntil}, which takes a restart. */
export async function endPause(cluster: Cluster, node: string, options: ChangeOptions): Promise<void> {
  if (!(await hasTarget(cluster, node, options.signal))) return await resumeReplay(cluster, node)
  await changeSettings(cluster, node, { settings: NO_TARGET, ...options })
  await restart(cluster, node)
}

async function hasTarget(cluster: Cluster, node: string, signal?: AbortSignal): Promise<boolean> {
  return (await cluster.ask(node, session => session.query(TARGETS), signal)).length > 0
}

const TARGETS = `SELECT FROM pg_settings WHERE setting <> '' AND name IN
  ('recovery_target', 'recovery_target_lsn', 'recovery_target_name', 'recovery_target_time', 'recovery_target_xid')`

/** object_not_in_prerequisite_state */
const NOT_IN_RECOVERY = '55000'

/** Within a delay the pause stays requested until the delay is over; what waits there is not applied any more. */
const appliesNothing = (cluster: Cluster, name: string): Condition<undefined> => ({
  what: `${name} to apply nothing more`,
  observe: async signal => {
    const [row] = await cluster.ask(name, session => session.query<PauseState>(PAUSE_STATE), signal)
    const isPaused = row?.state === 'paused' || (row?.state === 'pause requested' && row.waits_for_delay === true)
    return isPaused ? met(undefined) : notMet(`replay is ${row?.state}`)
  },
})

interface PauseState {
  readonly state: string
  readonly waits_for_delay: boolean | null
}

const PAUSE_STATE = `SELECT pg_get_wal_replay_pause_state() AS state,
  (SELECT wait_event = 'RecoveryApplyDelay' FROM pg_stat_activity WHERE backend_type = 'startup') AS waits_for_delay`
