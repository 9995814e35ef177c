/**
 * Which node `up` lets be the primary, of all that answer. Pure.
 */
import { compareHistories, hasPast, timelineOf, type NodeHistory } from '../postgres/node-history.ts'

/** A node that answers. */
export interface Found {
  readonly name: string
  readonly role: 'primary' | 'standby'
  readonly history: NodeHistory
  readonly recoveryMinApplyDelayMs: number
}

export interface Choice {
  readonly primary: string
  /** It is a standby, and is to be promoted. */
  readonly isPromoted: boolean
  /** Those that accept writes now beside it: to be fenced before anything else, and rejoined. */
  readonly superseded: readonly string[]
  /** As the end of a sentence that begins with the primary's name. */
  readonly why: string
}

/**
 * The node with the most advanced history, by its timeline, then by its end. A primary stays one as long as nobody has
 * anything past it; among equals the primary, then the one that applies at once, then the order of the file decides.
 * Undefined when none answers.
 */
export function choosePrimary(found: readonly Found[]): Choice | undefined {
  const [best] = [...found].sort(byAdvance)
  if (best === undefined) return undefined
  const primaries = found.filter(({ role }) => role === 'primary')
  const stays = primaries.filter(({ history }) => !hasPast(best.history, history)).sort(byAdvance)[0]
  const chosen = stays ?? best
  const superseded = primaries.filter(({ name }) => name !== chosen.name)
  return {
    primary: chosen.name,
    isPromoted: chosen.role === 'standby',
    superseded: superseded.map(({ name }) => name),
    why: reasonOf(chosen, superseded),
  }
}

const byAdvance = (a: Found, b: Found): number =>
  compareHistories(b.history, a.history) ||
  Number(b.role === 'primary') - Number(a.role === 'primary') ||
  a.recoveryMinApplyDelayMs - b.recoveryMinApplyDelayMs

function reasonOf(chosen: Found, superseded: readonly Found[]): string {
  const [first] = superseded
  if (first === undefined) return 'has received most'
  const isNewer = timelineOf(chosen.history) > timelineOf(first.history)
  return isNewer
    ? `is on a newer timeline than ${first.name}`
    : `has written more than ${first.name} on that timeline number`
}
