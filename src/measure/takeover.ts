/**
 * Who took over, from what servers said of themselves: with each write that they acknowledged, and each time that they were
 * looked at. Pure. For clusters that somebody else manages: nothing but a client's own eyes and clock.
 */
import type { History } from '../history/history.ts'

/** One look at a server. It was so at some instant between the question and the answer, both of performance.now(). */
export interface Look {
  /** The name that was asked. */
  readonly node: string
  readonly askedAt: number
  readonly at: number
  readonly isInRecovery: boolean
  /** What the server says of itself: see {@link parseServer}. */
  readonly server: string
}

/** Who a server is. Each is null where it could not be seen. */
export interface ServerSeen {
  /** inet_server_addr() and its port: its own address, whatever leads to it. */
  readonly address: string | null
  readonly timeline: number | null
  /** pg_postmaster_start_time(), in milliseconds since 1970. */
  readonly startedAt: number | null
}

/** Reads `10.0.0.5:5432 2 1795769352919`; what could not be seen is `-`. */
export function parseServer(text: string): ServerSeen {
  const [address = '-', timeline = '-', startedAt = '-'] = text.split(' ')
  const number = (digits: string): number | null => (digits === '-' ? null : Number(digits))
  return { address: address === '-' ? null : address, timeline: number(timeline), startedAt: number(startedAt) }
}

/**
 * - `failover`: another server accepts writes, or the same on another timeline.
 * - `restart`: the same does again, after a restart.
 * - `none`: the same does all the while, or nobody does any more.
 */
export type Change = 'failover' | 'restart' | 'none'

export interface Takeover {
  readonly change: Change
  /** Who accepts writes now; undefined without a change. */
  readonly server: string | undefined
  /** The first instant at which it was seen to accept writes, or had acknowledged one. */
  readonly promotedAt: number | undefined
  /** The last acknowledgement before its first; undefined where there is none. */
  readonly lastBeforeAt: number | undefined
  /** Its first acknowledgement. */
  readonly firstAfterAt: number | undefined
  /** When the client was first told that something is wrong, by an error in between; else it never was. */
  readonly noticedAt: number | undefined
}

export interface TakeoverEvidence {
  readonly history: History
  readonly looks: readonly Look[]
  /** Who accepted writes before. */
  readonly before: string
  /** When the client's search for a server that accepts writes had found one: instants of performance.now(). */
  readonly foundAt: readonly number[]
  /** Instants of performance.now(). */
  readonly faultAt: number
}

/** Finds out who took over, and when it was seen. */
export function takeoverIn({ history, looks, before, foundAt, faultAt }: TakeoverEvidence): Takeover {
  const acknowledged = history.writes
    .filter(({ outcome }) => outcome.kind === 'acknowledged')
    .sort((a, b) => a.settledAt - b.settledAt)
  const seen = new Map<string, number>()
  const see = (server: string | undefined, at: number): void => {
    if (server === undefined || server === before || at <= faultAt) return
    seen.set(server, Math.min(at, seen.get(server) ?? Infinity))
  }
  for (const { server, at, isInRecovery } of looks) if (!isInRecovery) see(server, at)
  for (const { server, settledAt } of acknowledged) see(server, settledAt)
  const [server, seenAt] = [...seen].sort(newestFirst)[0] ?? []
  if (server === undefined || seenAt === undefined) return NOBODY
  const firstAfterAt = acknowledged.find(write => write.server === server)?.settledAt
  const lastBeforeAt = acknowledged.findLast(({ settledAt }) => settledAt < (firstAfterAt ?? -Infinity))?.settledAt
  // The search that led to its first acknowledgement may have seen it earlier than any look.
  const found = foundAt.findLast(at => at < (firstAfterAt ?? -Infinity) && at > (lastBeforeAt ?? faultAt))
  const promotedAt = Math.min(seenAt, found ?? Infinity)
  return {
    change: changeBetween(parseServer(before), parseServer(server)),
    ...{ server, promotedAt, firstAfterAt, lastBeforeAt },
    noticedAt: firstErrorIn(history, lastBeforeAt ?? faultAt, firstAfterAt ?? Infinity),
  }
}

const NOBODY: Takeover = {
  change: 'none',
  server: undefined,
  promotedAt: undefined,
  lastBeforeAt: undefined,
  firstAfterAt: undefined,
  noticedAt: undefined,
}

/** The highest timeline is the newest; where it is the same, or not seen, whoever was seen last for the first time. */
function newestFirst([a, aSeenAt]: readonly [string, number], [b, bSeenAt]: readonly [string, number]): number {
  const timelineOf = (server: string): number => parseServer(server).timeline ?? 0
  return timelineOf(b) - timelineOf(a) || bSeenAt - aSeenAt
}

const changeBetween = (before: ServerSeen, after: ServerSeen): Change =>
  before.address === after.address && before.timeline === after.timeline ? 'restart' : 'failover'

function firstErrorIn({ writes, connectionErrors }: History, from: number, to: number): number | undefined {
  const instants = [
    ...writes.flatMap(({ outcome, settledAt }) => (outcome.kind === 'acknowledged' ? [] : [settledAt])),
    ...connectionErrors.map(({ at }) => at),
  ].filter(at => at > from && at < to)
  return instants.length === 0 ? undefined : instants.reduce((first, at) => Math.min(first, at))
}

/** An outage as a client sees it, cut where it can see a cut; the parts add up to it. Milliseconds. */
export interface ClientPhases {
  /** From the last acknowledgement until the first error: it still waited. */
  readonly noticeMs: number
  /** From there until a new primary was seen to accept writes; 0 where that was before. */
  readonly promoteMs: number
  /** From there until the first write on it was acknowledged. */
  readonly firstWriteMs: number
}

/** Undefined where the outage has no begin or no end. */
export function clientPhasesOf(takeover: Takeover): ClientPhases | undefined {
  const { lastBeforeAt: from, firstAfterAt: to, noticedAt, promotedAt } = takeover
  if (from === undefined || to === undefined) return undefined
  const noticed = Math.min(Math.max(noticedAt ?? promotedAt ?? to, from), to)
  const promoted = Math.min(Math.max(promotedAt ?? to, noticed), to)
  return { noticeMs: noticed - from, promoteMs: promoted - noticed, firstWriteMs: to - promoted }
}

export interface OnOldPrimary {
  readonly readsOnOldPrimary: number | null
  readonly splitBrainWrites: number | null
}

/** What the old primary went on to do as a primary, after another was seen to be one. Null where no other was. */
export function onOldPrimary({ history, looks, before }: TakeoverEvidence, takeover: Takeover): OnOldPrimary {
  const { change, promotedAt, server: after } = takeover
  if (change !== 'failover' || promotedAt === undefined) return { readsOnOldPrimary: null, splitBrainWrites: null }
  const reads = looks.filter(look => look.server === before && !look.isInRecovery && look.askedAt > promotedAt)
  const writes = history.writes.filter(
    ({ outcome, server, sentAt }) => outcome.kind === 'acknowledged' && server !== after && sentAt > promotedAt,
  )
  return { readsOnOldPrimary: reads.length, splitBrainWrites: writes.length }
}
