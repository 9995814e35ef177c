/**
 * The record of a failover that somebody else has made: what a client saw of it. Pure.
 */
import type { History } from '../history/history.ts'
import { longestOutage, type Milestones } from './outage.ts'
import { roundedAll, rounded, runRecord, type RunEvidence, type RunRecord } from './record.ts'
import {
  clientPhasesOf,
  onOldPrimary,
  parseServer,
  takeoverIn,
  type Change,
  type ClientPhases,
  type ServerSeen,
  type TakeoverEvidence,
} from './takeover.ts'

/** `pnpm run measure --json` */
export interface MeasuredRecord extends RunRecord {
  readonly runtime: null
  /** How the servers were named: each by a URL, or all by one address that moves. */
  readonly target: 'nodes' | 'address'
  readonly label: string | null
  readonly change: Change
  /** They add up to the outage; null with it. */
  readonly clientPhases: ClientPhases | null
  /** The longest time without an acknowledgement since the command began; null where it goes on, or nothing was before it. */
  readonly longestOutageMs: number | null
  readonly systemIdentifier: string | null
  readonly servers: { readonly before: ServerSeen; readonly after: ServerSeen | null }
  readonly action: Action
  /** Whether what is in the database could be read at the end: else nothing is known of what is lost. */
  readonly survivorsRead: boolean
  /** Every server that has a URL, as it was at the end. */
  readonly nodesAtEnd: readonly NodeAtEnd[]
  /** What could not be seen, and why. */
  readonly unseen: readonly string[]
}

/** The command that was run. */
export interface Action {
  /** Without passwords, as far as they can be told. */
  readonly command: string
  /** Null where a signal ended it, or it had not ended when the run did. */
  readonly exitCode: number | null
  /** From its start; null where it had not ended when the run did. */
  readonly returnedAfterMs: number | null
}

export interface NodeAtEnd {
  readonly node: string
  readonly role: 'primary' | 'standby' | 'unreachable'
  readonly server: ServerSeen | null
  /** Rows of this run that it has and the new primary has not; null where it was not asked, or is the new primary. */
  readonly rowsOnlyHere: number | null
}

export interface MeasuredEvidence
  extends
    Omit<RunEvidence<MeasuredRecord>, 'failover' | 'runtime' | 'fault' | 'cutMs' | 'afterPromotion' | 'forkLsn'>,
    Pick<MeasuredRecord, 'target' | 'label' | 'systemIdentifier' | 'action' | 'nodesAtEnd' | 'unseen'>,
    Omit<TakeoverEvidence, 'history'> {
  readonly oldPrimary: string
  /** The name of a server that was seen. */
  readonly nameOf: (server: string) => string
  /** See {@link Measured}. */
  readonly ledAt?: number | undefined
}

export interface Measured {
  readonly record: MeasuredRecord
  readonly history: History
  readonly milestones: Milestones & {
    readonly faultAt: number
    /** When an address that moves was first seen to lead to the new primary; Infinity where it was not. */
    readonly ledAt: number
  }
}

/** Draws up the record from what was seen. */
export function measuredRecord(evidence: MeasuredEvidence): Measured {
  const { history, faultAt, before, oldPrimary, nameOf } = evidence
  const takeover = takeoverIn(evidence)
  const { change, server, lastBeforeAt, firstAfterAt, promotedAt, noticedAt } = takeover
  const after = server === undefined ? null : parseServer(server)
  const phases = clientPhasesOf(takeover)
  const milestones = {
    faultAt,
    detectedAt: noticedAt ?? promotedAt ?? Infinity,
    // An instant at which the old primary's last acknowledgement has come, and the new one's first has not.
    fencedAt: firstAfterAt === undefined ? Infinity : (lastBeforeAt ?? faultAt),
    promotedAt: promotedAt ?? Infinity,
    ledAt: evidence.ledAt ?? Infinity,
  }
  const timeline = { before: parseServer(before).timeline, after: after?.timeline ?? null }
  const newPrimary = server === undefined ? null : nameOf(server)
  const longest = longestOutage(history, faultAt)
  const record = runRecord({
    ...evidence,
    runtime: null,
    fault: 'command',
    ...{ cutMs: 0, forkLsn: null, afterPromotion: null },
    failover: { ...milestones, oldPrimary, newPrimary, timeline },
    ...onOldPrimary(evidence, takeover),
    faultHappened: change !== 'none',
  })
  return {
    history,
    milestones,
    record: {
      ...record,
      runtime: null,
      phases: null,
      why: record.verdict === 'unknown' && change === 'none' ? `no failover was seen, and ${record.why}` : record.why,
      target: evidence.target,
      label: evidence.label,
      change,
      clientPhases: phases === undefined ? null : roundedAll(phases),
      longestOutageMs: longest === null ? null : rounded(longest),
      systemIdentifier: evidence.systemIdentifier,
      servers: { before: parseServer(before), after },
      action: evidence.action,
      survivorsRead: evidence.survivors !== undefined,
      nodesAtEnd: evidence.nodesAtEnd,
      unseen: evidence.unseen,
    },
  }
}
