/**
 * Waiting for what a server itself can say.
 */
import { met, notMet, type Condition } from '../wait.ts'
import type { Cluster } from './cluster.ts'

/** A question, asked as the lab's role, which returns a row when what is waited for has happened. */
export interface Question {
  /** As the end of a sentence: `a commit to wait for a standby`. */
  readonly what: string
  readonly text: string
}

/** Met by the first row that `text` returns on `node`. */
export function returnsRow<T extends object>(cluster: Cluster, node: string, { what, text }: Question): Condition<T> {
  return {
    what,
    observe: async signal => {
      const [row] = await cluster.withSession(node, session => session.query<T>(text), signal)
      return row === undefined ? notMet(`${node} returns no row`) : met(row)
    },
  }
}
