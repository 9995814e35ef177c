/**
 * The state of the cluster: as a table, and as the `status --json` document.
 */
import type { Cluster, NodeStatus } from '../cluster/cluster.ts'
import { bytesBehind, formatLsn, type Lsn } from '../postgres/lsn.ts'
import type { Slot } from '../postgres/status.ts'
import { formatBytes } from './format.ts'
import type { Narrator } from './narrator.ts'

export interface StatusDocument {
  readonly version: 1
  readonly runtime: string
  readonly nodes: readonly NodeStatus[]
}

export const statusDocument = (cluster: Cluster, nodes: readonly NodeStatus[]): StatusDocument => ({
  version: 1,
  runtime: cluster.runtime.name,
  nodes,
})

/** A slot that holds back more than this is worth a word: the disk fills until max_slot_wal_keep_size. */
const MUCH_RETAINED = 256 * 1024 * 1024

/** Prints a line a node, then the slots of the primary, then what is wrong. */
export function narrateStatus(narrate: Narrator, all: readonly NodeStatus[]): void {
  const primary = all.find(status => status.role === 'primary')
  const end = primary?.currentLsn
  const rows = all.map(status => [
    status.name,
    status.role,
    ...nodeColumns(status, end),
    `${status.host}:${status.port}`,
  ])
  narrate.table(['node', 'role', 'timeline', 'LSN', 'replication', 'behind', 'address'], rows)
  for (const status of all)
    if (status.role === 'unreachable') narrate.say(`${status.name} is ${status.state}: ${status.reason}`)
  if (primary === undefined) return narrate.say('no node accepts writes; pnpm run up brings the cluster up')
  narrate.say('')
  const slots = primary.slots.map(slot => [
    slot.slotName,
    slot.active ? 'active' : 'inactive',
    slot.walStatus ?? 'unused',
    formatBytes(retained(slot, primary.currentLsn)),
  ])
  narrate.table(['slot', 'state', 'WAL', 'retains'], slots)
  for (const slot of primary.slots) {
    const bytes = retained(slot, primary.currentLsn)
    if (!slot.active && bytes > MUCH_RETAINED)
      narrate.say(`slot ${slot.slotName} retains ${formatBytes(bytes)} for a standby that is not there`)
  }
}

function nodeColumns(status: NodeStatus, end: Lsn | undefined): readonly (string | number)[] {
  switch (status.role) {
    case 'primary':
      return [
        status.timeline,
        formatLsn(status.currentLsn),
        `${status.replication.length} standby${status.replication.length === 1 ? '' : 's'}`,
        '',
      ]
    case 'standby': {
      const behind = end === undefined ? '' : formatBytes(bytesBehind(end, status.replayLsn))
      return [status.timeline, formatLsn(status.replayLsn), status.walReceiver?.status ?? 'not streaming', behind]
    }
    case 'unreachable':
      return ['', '', '', '']
  }
}

const retained = ({ restartLsn }: Slot, end: Lsn): number => (restartLsn === null ? 0 : bytesBehind(end, restartLsn))
