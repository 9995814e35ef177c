/**
 * Why a standby is not as it should be, as far as the servers tell: its replay is paused by PostgreSQL itself, WAL that it needs
 * is gone, or its history and the primary's have parted.
 */
import { isLabError, LabError } from '../errors.ts'
import { formatDuration } from '../postgres/duration.ts'
import { formatLsn } from '../postgres/lsn.ts'
import { lastCommonPoint, timelineOf } from '../postgres/node-history.ts'
import { together } from '../together.ts'
import { met, notMet, waitUntil, type Observation } from '../wait.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { isHeldBack, senderOf, streaming } from '../cluster/conditions.ts'
import { standbysOf, type NodeStatus, type StandbyStatus } from '../cluster/node-status.ts'
import { whyWalIsMissing } from './missing-wal.ts'
import { readNodeHistory } from './node-history.ts'

interface Beside {
  readonly primary: string
  readonly signal?: AbortSignal | undefined
}

/** By its name, why a standby streams from nobody, or applies nothing; only those of which something can be told. */
export async function readReasons(
  cluster: Cluster,
  all: readonly NodeStatus[],
  signal?: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  const [primary, second] = all.filter(({ role }) => role === 'primary')
  if (primary === undefined || second !== undefined) return {}
  const doubtful = standbysOf(all).filter(
    standby => !standby.waitsForPeers && (standby.replayPaused || senderOf(standby, all) === undefined),
  )
  const told = await together(doubtful, async standby => {
    const why = await reasonOf(cluster, standby, { primary: primary.name, signal }).catch(unlessUnreachable)
    return typeof why === 'string' ? [[standby.name, why] as const] : []
  })
  return Object.fromEntries(told.flat())
}

async function reasonOf(cluster: Cluster, standby: StandbyStatus, beside: Beside): Promise<string | undefined> {
  const small = await settingsTooSmall(cluster, standby, beside)
  if (small !== undefined) return `PostgreSQL has paused its replay, since ${small}`
  if (await isHeldBack(cluster, standby, beside.signal))
    return `it applies ${formatDuration(standby.recoveryMinApplyDelayMs)} late, and first applies what it has`
  return await whyNever(cluster, standby, beside)
}

/** Why it can never stream from the primary as it is; undefined while it may. @throws LabError UNREACHABLE */
const whyNever = async (cluster: Cluster, standby: StandbyStatus, beside: Beside): Promise<string | undefined> =>
  (await whyWalIsMissing(cluster, standby, beside)) ?? (await whereTheyPart(cluster, standby.name, beside))

/** Undefined while their histories have not parted. @throws LabError UNREACHABLE */
async function whereTheyPart(cluster: Cluster, name: string, { primary, signal }: Beside): Promise<string | undefined> {
  const own = await readNodeHistory(cluster, name, signal)
  const theirs = await readNodeHistory(cluster, primary, signal)
  const common = lastCommonPoint(own, theirs)
  if (common !== null && own.endLsn <= common.lsn) return undefined
  const at = common === null ? 'from the beginning' : `at ${formatLsn(common.lsn)} on timeline ${common.timeline}`
  return `it is at ${formatLsn(own.endLsn)} on timeline ${timelineOf(own)}, and their histories part ${at}`
}

/**
 * What is smaller on a standby than on its primary, of what must not be: replay is paused, and to resume it would end the server.
 * https://www.postgresql.org/docs/current/hot-standby.html#HOT-STANDBY-ADMIN
 */
export async function settingsTooSmall(
  cluster: Cluster,
  { name, replayPaused }: Pick<StandbyStatus, 'name' | 'replayPaused'>,
  { primary, signal }: Beside,
): Promise<string | undefined> {
  if (!replayPaused) return undefined
  const read = (node: string): Promise<Sized[]> => cluster.ask(node, session => session.query<Sized>(SIZES), signal)
  const [own, theirs] = [await read(name), await read(primary)]
  const small = own.find(({ name: setting, size }) => theirs.some(other => other.name === setting && other.size > size))
  const needed = theirs.find(({ name: setting }) => setting === small?.name)
  return small === undefined ? undefined : `${small.name} is ${small.size} there and ${needed?.size} on ${primary}`
}

interface Sized {
  readonly name: string
  readonly size: number
}

const SIZES = `SELECT name, setting::int AS size FROM pg_settings WHERE name IN ('max_connections', 'max_worker_processes',
  'max_wal_senders', 'max_prepared_transactions', 'max_locks_per_transaction')`

/** Waits until it streams, or never will: it has replayed past the place where the primary's history left its timeline. */
export async function whyNotStreaming(
  cluster: Cluster,
  name: string,
  options: Beside & { readonly timeoutMs: number },
): Promise<string | undefined> {
  const follows = streaming(cluster, name, options.primary)
  const observe = async (signal: AbortSignal): Promise<Observation<string | undefined>> => {
    const seen = await follows.observe(signal)
    if (seen.met) return met(undefined)
    const [standby, primary] = await Promise.all([
      cluster.nodeStatus(name, signal),
      cluster.nodeStatus(options.primary, signal),
    ])
    if (standby.role !== 'standby' || primary.role !== 'primary') return seen
    if (await isHeldBack(cluster, standby, signal)) {
      const delay = formatDuration(standby.recoveryMinApplyDelayMs)
      const text = `${name} applies ${delay} late, and streams from ${primary.name} when it has applied what it has`
      cluster.emit({ kind: 'remark', text })
      return met(undefined)
    }
    const why = await whyNever(cluster, standby, { primary: primary.name, signal }).catch(unlessUnreachable)
    if (why instanceof LabError) return notMet(why.message)
    return why === undefined ? notMet('it does not stream yet') : met(why)
  }
  return await waitUntil({ what: follows.what, observe }, options)
}

/** It has gone meanwhile, and may come back. */
function unlessUnreachable(error: unknown): LabError {
  if (isLabError(error, 'UNREACHABLE')) return error
  throw error
}
