/**
 * Replication slots for people: what each retains, and what is wrong with it. Pure.
 * https://www.postgresql.org/docs/current/view-pg-replication-slots.html
 */
import type { NodeStatus, PrimaryStatus, StandbyStatus } from '../cluster/node-status.ts'
import { senderOf } from '../cluster/conditions.ts'
import { bytesBehind, type Lsn } from '../postgres/lsn.ts'
import { furthestLsn, type Slot } from '../postgres/status.ts'
import { formatBytes } from './format.ts'

type Answering = PrimaryStatus | StandbyStatus

export const SLOT_HEADING = ['slot', 'on', 'state', 'WAL', 'retains'] as const

/** A row for each slot of each node that answers, under {@link SLOT_HEADING}; the limit beside what comes near to it. */
export const slotRows = (all: readonly NodeStatus[]): string[][] =>
  slotsOf(all).map(({ slot, on, bytes }) => [
    slot.slotName,
    on.name,
    slot.active ? 'active' : 'inactive',
    slot.walStatus ?? 'unused',
    isNear(bytes, on) ? `${formatBytes(bytes)} of ${limitOf(on)}` : formatBytes(bytes),
  ])

/** What is wrong with the slots, and what to do about it; a sentence each. */
export const slotWarnings = (all: readonly NodeStatus[]): string[] => [
  ...slotsOf(all).flatMap(held => warningOf(held, all) ?? []),
  ...missingSlots(all),
]

/** The slots that hold back more than so many bytes. */
export const retentions = (all: readonly NodeStatus[], limit: number | undefined): string[] =>
  slotsOf(all).flatMap(({ slot, on, bytes }) =>
    limit !== undefined && bytes > limit
      ? [`slot ${slot.slotName} on ${on.name} retains ${formatBytes(bytes)}, more than ${formatBytes(limit)}`]
      : [],
  )

interface HeldSlot {
  readonly slot: Slot
  readonly on: Answering
  /** From its restart_lsn to the end of the WAL of its node. */
  readonly bytes: number
}

const slotsOf = (all: readonly NodeStatus[]): HeldSlot[] =>
  all
    .filter(status => status.role !== 'unreachable')
    .flatMap(on => on.slots.map(slot => ({ slot, on, bytes: retained(slot, endOfWal(on)) })))

const retained = ({ restartLsn }: Slot, end: Lsn): number => (restartLsn === null ? 0 : bytesBehind(end, restartLsn))

function endOfWal(status: Answering): Lsn {
  return status.role === 'primary' ? status.currentLsn : furthestLsn(status)
}

/** A slot that holds back more than this is worth a word, whatever the limit. */
const MUCH_RETAINED = 256 * 1024 * 1024

const isNear = (bytes: number, { maxSlotWalKeepSize: limit }: Answering): boolean => limit !== null && bytes > limit / 2

function warningOf({ slot, on, bytes }: HeldSlot, all: readonly NodeStatus[]): string | undefined {
  const owner = slot.slotType === 'physical' ? all.find(({ name }) => name === slot.slotName) : undefined
  if (owner === undefined || owner === on) return warningOfStranger({ slot, on, bytes })
  const name = `slot ${slot.slotName} on ${on.name}`
  if (slot.walStatus === 'lost' && owner.role === 'primary')
    return `${name} is lost, and nobody needs it: ${owner.name} is the primary. ${on.role === 'standby' ? 'pnpm run up drops it.' : dropping(slot)}`
  if (slot.walStatus === 'lost')
    return `${name} is lost: WAL that ${owner.name} lacks is gone. pnpm run up clones ${owner.name} anew.`
  if (slot.walStatus === 'unreserved')
    return `${name} has ${pastLimit(on)}: the next checkpoint may remove WAL that ${owner.name} lacks, and then ${owner.name} must be cloned anew.`
  const retains = `${name}, ${on.role === 'primary' ? 'the primary' : 'a standby'}, retains ${formatBytes(bytes)}`
  const isIdle = !slot.active && slot.restartLsn !== null
  if (isIdle && on.role === 'standby')
    return `${retains}, and ${owner.name} does not stream from it. pnpm run up drops it.`
  const sender = owner.role === 'standby' ? senderOf(owner, all) : undefined
  if (isIdle && isOther(sender, on))
    return `${retains} for nobody: ${owner.name} streams from ${sender?.name}. ${dropping(slot)}`
  if (bytes <= MUCH_RETAINED && !isNear(bytes, on)) return undefined
  return `${retains} for ${owner.name}, which ${whatItDoes(owner)}. ${whereItEnds(slot, on)}`
}

/** A slot that no node of the cluster uses: somebody made it by hand, and only they know what for. */
function warningOfStranger({ slot, on, bytes }: HeldSlot): string | undefined {
  const name = `slot ${slot.slotName} on ${on.name} belongs to no node of the cluster`
  const drop = `If nobody needs it: ${dropping(slot)}`
  if (slot.walStatus === 'lost') return `${name}, and is lost: it cannot be used any more. ${drop}`
  if (slot.walStatus === 'unreserved')
    return `${name}, and has ${pastLimit(on)}: the next checkpoint may remove WAL that it should retain.`
  if (slot.active && bytes <= MUCH_RETAINED && !isNear(bytes, on)) return undefined
  const retains = slot.restartLsn === null ? 'retains nothing yet' : `retains ${formatBytes(bytes)}`
  return slot.active ? `${name}, and ${retains}. ${whereItEnds(slot, on)}` : `${name}, and ${retains}. ${drop}`
}

const isOther = (sender: NodeStatus | undefined, on: Answering): boolean =>
  sender !== undefined && sender.name !== on.name

const dropping = ({ slotName }: Slot): string => `SELECT pg_drop_replication_slot('${slotName}')`

const limitOf = ({ maxSlotWalKeepSize: limit }: Answering): string =>
  limit === null ? 'without a limit' : formatBytes(limit)

const pastLimit = (on: Answering): string => `outgrown max_slot_wal_keep_size (${limitOf(on)})`

function whatItDoes(owner: NodeStatus): string {
  if (owner.role === 'unreachable') return owner.state === 'running' ? 'does not answer' : `is ${owner.state}`
  if (owner.role === 'primary') return 'accepts writes itself'
  return owner.walReceiver?.status === 'streaming' ? 'streams, and is that far behind' : 'does not stream'
}

const whereItEnds = ({ slotName, safeWalSize }: Slot, on: Answering): string =>
  safeWalSize === null || on.maxSlotWalKeepSize === null
    ? 'Only the disk limits it: max_slot_wal_keep_size is -1.'
    : `After ${formatBytes(Math.max(0, safeWalSize))} more it outgrows max_slot_wal_keep_size (${limitOf(on)}), and what ${slotName} lacks may be removed.`

/** A standby whose primary has no slot for it cannot stream, once it has to connect again. */
function missingSlots(all: readonly NodeStatus[]): string[] {
  const [primary, second] = all.filter(status => status.role === 'primary')
  if (primary === undefined || second !== undefined) return []
  const has = (name: string): boolean => primary.slots.some(({ slotName }) => slotName === name)
  return all
    .filter(other => other !== primary && !has(other.name))
    .filter(other => !(other.role === 'standby' && isOther(senderOf(other, all), primary)))
    .map(({ name }) => `${primary.name}, the primary, has no slot for ${name}. pnpm run up makes it.`)
}
