/**
 * As what a former primary of this machine starts: src/postgres/start-writable.ts, asked of every node's files. They are all
 * there to be read, also those of nodes that do not run, so that no server need start only to be asked.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CONTROL_FILE, parseControlFile } from '../../postgres/control-file.ts'
import { historyOnDisk } from '../../postgres/history-on-disk.ts'
import { timelineOf, type NodeHistory } from '../../postgres/node-history.ts'
import { mayStartWritable, type SeenNode } from '../../postgres/start-writable.ts'
import type { NodeSpec, Topology } from '../../topology/topology.ts'
import * as data from './data.ts'
import { dataOf, type Place } from './place.ts'
import { serverState, spawnServer, type Host } from './server.ts'

/** Starts a node as what it may be. Two must not be decided on at once: each is to see what the other has become. */
export async function startInRole(host: Host, topology: Topology, node: NodeSpec): Promise<void> {
  await settleRole(host.place, topology, node)
  await spawnServer(host, node)
}

/** Leaves in the node's files what they start as; those of a standby stay as they are. */
async function settleRole(place: Place, { nodes, members }: Topology, node: NodeSpec): Promise<void> {
  if (!(await data.canStart(place, node)) || (await data.signalOf(place, node)) === 'standby') return
  const others = nodes.filter(({ name }) => name !== node.name)
  const peers: SeenNode[] = []
  const own = await look(place, node)
  for (const peer of others) {
    if (!(await data.canStart(place, peer))) continue
    const seen = await look(place, peer)
    peers.push((await data.signalOf(place, peer)) === 'standby' ? noFurther(seen, own) : seen)
  }
  const verdict = mayStartWritable(own, peers, {
    electors: nodes.filter(({ name }) => !members.some(member => member.name === name)).map(({ name }) => name),
    withoutData: others.filter(({ name }) => !peers.some(peer => peer.name === name)).map(({ name }) => name),
  })
  await data.setSignal(place, node, verdict.role)
}

/** Files tell late how far a node is, a primary's later than a standby's, which has no more of a timeline than its primary. */
const noFurther = (standby: SeenNode, { history }: SeenNode): SeenNode =>
  timelineOf(standby.history) === timelineOf(history) && standby.history.endLsn > history.endLsn
    ? { ...standby, history: { ...standby.history, endLsn: history.endLsn } }
    : standby

async function look(place: Place, node: NodeSpec): Promise<SeenNode> {
  const state = await serverState(place, node)
  return {
    name: node.name,
    history: await readHistory(dataOf(place, node)),
    // The file goes when a standby is promoted.
    acceptsWrites: (state === 'running' || state === 'frozen') && (await data.signalOf(place, node)) === 'primary',
  }
}

async function readHistory(folder: string): Promise<NodeHistory> {
  const wal = join(folder, 'pg_wal')
  const files = await readdir(wal)
  const historyFiles = new Map<number, string>()
  for (const name of files.filter(name => /^[0-9A-F]{8}\.history$/.test(name)))
    historyFiles.set(Number.parseInt(name.slice(0, 8), 16), await readFile(join(wal, name), 'utf8'))
  return historyOnDisk({
    control: parseControlFile(await readFile(join(folder, CONTROL_FILE))),
    historyFiles,
    walFiles: files.filter(name => /^[0-9A-F]{24}$/.test(name)),
  })
}
