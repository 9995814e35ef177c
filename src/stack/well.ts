/**
 * The whole stack is well. All of it is looked at again each time, since who leads may change while it is waited for: what Patroni says of
 * a node that was killed a moment ago is what it said before.
 */
import { met, notMet, type Condition } from '../wait.ts'
import { leadsTo } from './haproxy.ts'
import { consoleAnswers } from './pgbouncer.ts'
import { allWell } from './rest.ts'
import type { PatroniStack } from './stack.ts'

export interface StackWell {
  readonly primary: string
  readonly timeline: number
}

/** One node leads, the others stream from it, HAProxy leads there and nowhere else, and PgBouncer answers. */
export const stackWell = (stack: PatroniStack): Condition<StackWell> =>
  inOneLook(allWell(stack), ({ primary }) => [leadsTo(stack, primary), consoleAnswers(stack)])

/** `first`, and what depends on what it says: all of it true in one look. */
export const inOneLook = <T>(first: Condition<T>, more: (value: T) => readonly Condition<unknown>[]): Condition<T> => ({
  what: first.what,
  observe: async signal => {
    const seen = await first.observe(signal)
    if (!seen.met) return seen
    for (const condition of more(seen.value)) {
      const next = await condition.observe(signal)
      if (!next.met) return notMet(`${condition.what} is waited for: ${next.seen}`)
    }
    return met(seen.value)
  },
})
