/**
 * What mends every pool over pg: they keep a session whatever it answers, and a query that ran into `query_timeout` leaves
 * its connection behind as if it were well.
 */
import type { Client } from 'pg'

/** Not in pg's declarations, and used by everybody who needs it. */
interface Inside {
  readonly connection: NodeJS.EventEmitter & { readonly stream: import('node:net').Socket }
  readonly readyForQuery: boolean
}

// #region gives-up
/** For each new connection: it breaks when its server is read-only, or has not answered for two seconds. */
export function givesUp(connected: Client): void {
  const client = connected as Client & Inside
  const { connection } = client
  const giveUp = (code: string): void => {
    connection.stream.destroy(Object.assign(new Error(`the connection was given up: ${code}`), { code }))
  }
  client.on('error', () => undefined) // while it is taken nobody else listens, and the process would end
  connection.on('errorMessage', ({ code }: { code?: string }) => {
    if (code === '25006') setImmediate(giveUp, code) // after the query that was told so
  })
  connection.stream.setTimeout(2_000).on('timeout', () => {
    if (!client.readyForQuery) giveUp('ETIMEDOUT') // else it is only idle
  })
}
// #endregion
