/**
 * Which server a node is told to follow: its primary_conninfo. The standard one, as in docker-compose.yml, names every node
 * and looks for the primary among them; a cascading standby's names one other standby alone.
 */
import { areEquivalent, formatConninfo, parseConninfo, withHosts } from '../postgres/conninfo.ts'
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
