/**
 * Which server a node is told to follow: its primary_conninfo. The standard one, as in docker-compose.yml, names every node
 * and looks for the primary among them; a cascading standby's names one other standby alone.
 */
import { areEquivalent, formatConninfo, parseConninfo, withHosts } from '../postgres/conninfo.ts'
import type { Session } from '../postgres/connection.ts'
import { met, notMet, waitUntil, type Condition } from '../wait.ts'
import type { Cluster } from './cluster.ts'
import { changeSettings, readSetting, type ChangeOptions, type Settings } from './settings.ts'

/** What a node is told to follow. */
export type Upstream =
  | { readonly kind: 'primary' }
  | { readonly kind: 'node'; readonly name: string }
  /** Neither the standard, nor one node's address: what a lab that was killed has left, or a person's own. */
  | { readonly kind: 'other'; readonly conninfo: string }

/** Reads it from the node, which must answer; a primary has it, too, for the day when it is a standby. */
export async function readUpstream(cluster: Cluster, node: string, signal?: AbortSignal): Promise<Upstream> {
  const conninfo = await readConninfo(cluster, node, signal)
  if (areEquivalent(conninfo, cluster.runtime.standbyConninfo(node))) return { kind: 'primary' }
  const followed = cluster.nodes.find(({ name }) => areEquivalent(conninfo, conninfoTo(cluster, node, name)))
  return followed === undefined ? { kind: 'other', conninfo } : { kind: 'node', name: followed.name }
}

/** The primary_conninfo of a node. Only whoever is in pg_read_all_settings may see it, and the lab's role is. */
export async function readConninfo(cluster: Cluster, node: string, signal?: AbortSignal): Promise<string> {
  return await cluster.ask(node, session => readSetting(session, 'primary_conninfo'), signal)
}

/**
 * Has a node follow whom `conninfo` names, and returns when it has left whom it followed: until then it seems to stream as it
 * should, if that is the same node. False when there is nothing that it leaves now: it streamed from nobody, or replays late or
 * not at all, and takes over a new connection only then.
 * @throws LabError UNREACHABLE, TIMEOUT
 */
export async function changeUpstream(
  cluster: Cluster,
  node: string,
  { conninfo, ...options }: ChangeOptions & { readonly conninfo: string },
): Promise<boolean> {
  await using session = await cluster.connect(node, { as: 'superuser', signal: options.signal })
  const before = await walReceiver(session)
  await changeSettings(cluster, node, { settings: { primary_conninfo: conninfo }, ...options })
  if (before === undefined) return false
  await waitUntil(hasEnded(session, { node, before }), { ...options, intervalMs: 2 })
  return true
}

/** Its process, where that ends for another primary_conninfo. */
async function walReceiver(session: Session): Promise<number | undefined> {
  const [row] = await session.query<{ pid: number }>(WAL_RECEIVER)
  return row?.pid
}
const WAL_RECEIVER = `SELECT pid FROM pg_stat_wal_receiver
WHERE NOT pg_is_wal_replay_paused() AND current_setting('recovery_min_apply_delay') = '0'`

const hasEnded = (
  session: Session,
  { node, before }: { readonly node: string; readonly before: number },
): Condition<undefined> => ({
  what: `${node} to leave whom it followed`,
  observe: async () => ((await walReceiver(session)) === before ? notMet('it still streams') : met(undefined)),
})

/** The primary_conninfo with which `node` follows `upstream`, whatever its role: it may be a standby, too. */
export function conninfoTo(cluster: Cluster, node: string, upstream: string): string {
  const standard = cluster.runtime.standbyConninfo(node)
  const conninfo = new Map(parseConninfo(withHosts(standard, [cluster.runtime.peerEndpoint(upstream)])))
  conninfo.delete('target_session_attrs')
  return formatConninfo(conninfo)
}

/**
 * A primary keeps what it was told as a standby, and pg_rewind and pg_basebackup hand that on: to a former primary, which
 * would follow the wrong server, and as late as this one did. So this forgets it.
 * @throws LabError UNREACHABLE, TIMEOUT
 */
export async function forgetStandbySettings(cluster: Cluster, primary: string, options: ChangeOptions): Promise<void> {
  const upstream = await readUpstream(cluster, primary, options.signal)
  const delay = await cluster.ask(primary, session => readSetting(session, 'recovery_min_apply_delay'), options.signal)
  const settings: Settings = {
    ...(upstream.kind === 'primary' ? {} : { primary_conninfo: cluster.runtime.standbyConninfo(primary) }),
    ...(delay === '0' ? {} : { recovery_min_apply_delay: null }),
  }
  if (Object.keys(settings).length === 0) return
  await changeSettings(cluster, primary, { settings, ...options })
}
