/**
 * May a node start writable? The rule for TypeScript; that for shell is replica-entrypoint/start-writable.sh. Pure.
 */
import { compareHistories, hasPast, timelineOf, type NodeHistory } from './node-history.ts'

/** A node that was seen: its server was asked, or its files were read. */
export interface SeenNode {
  readonly name: string
  readonly history: NodeHistory
  readonly acceptsWrites: boolean
}

export interface Electorate {
  /** The nodes of the compose file: those that were added do not count, because not every node knows of them. */
  readonly electors: readonly string[]
  /** Those that are known to have no data. */
  readonly withoutData: readonly string[]
}

/** What the server of a former primary starts as. */
export type StartAs =
  | { readonly role: 'primary' }
  /** Of `of`, whose history contains its own. */
  | { readonly role: 'standby'; readonly of: string }
  /** A standby of nobody: it answers, and waits. */
  | { readonly role: 'reader'; readonly why: string }

/**
 * A former primary starts as one when a majority of the electors, itself included, has been seen, or all who have data, and
 * none has a newer history: a higher timeline, or more of the same. Nobody accepts writes beside a primary, whatever its history.
 * It follows only where its own history goes on.
 */
export function mayStartWritable(
  own: Omit<SeenNode, 'acceptsWrites'>,
  peers: readonly SeenNode[],
  { electors, withoutData }: Electorate,
): StartAs {
  // Those of another cluster are as good as absent.
  const ours = peers.filter(({ history }) => history.systemIdentifier === own.history.systemIdentifier)
  const newer = ours
    .filter(peer => peer.acceptsWrites || compareHistories(peer.history, own.history) > 0)
    .sort((a, b) => Number(b.acceptsWrites) - Number(a.acceptsWrites) || compareHistories(b.history, a.history))[0]
  if (newer !== undefined) {
    // Not on the same timeline: that has one primary, so another one has begun a timeline of the same number, perhaps at the
    // same place, and PostgreSQL could not tell them apart.
    const isOther = timelineOf(newer.history) !== timelineOf(own.history)
    return isOther && !hasPast(own.history, newer.history)
      ? { role: 'standby', of: newer.name }
      : { role: 'reader', why: `${newer.name} has a history that does not contain its own` }
  }
  const seen = [own, ...ours].filter(({ name }) => electors.includes(name)).length
  const empty = withoutData.filter(name => electors.includes(name)).length
  if (seen > electors.length / 2 || seen + empty === electors.length) return { role: 'primary' }
  return { role: 'reader', why: `it has seen ${seen} of ${electors.join(', ')}, which is no majority` }
}
