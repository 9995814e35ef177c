/**
 * Connections of node-postgres to one server, with a limit on everything: node-postgres itself waits for ever.
 */
import pg from 'pg'

/** A server, and who connects to it. */
export interface HostAddress {
  /** `host:port` */
  readonly name: string
  readonly host: string
  readonly port: number
  /** As the application connects. */
  readonly config: pg.ClientConfig
  /** As who asks it for its role. */
  readonly monitor: pg.ClientConfig
}

/** Closes the socket at once; what is in flight fails. */
export function destroy(client: pg.Client, reason?: Error): void {
  client.connection.stream.destroy(reason)
}

/** Opens a connection that no error of its own can end the process by. */
export async function open(config: pg.ClientConfig, limitMs: number): Promise<pg.Client> {
  const client = new pg.Client({ keepAlive: true, ...config, connectionTimeoutMillis: limitMs })
  client.on('error', () => undefined)
  try {
    await client.connect()
    return client
  } catch (error) {
    destroy(client)
    throw error
  }
}

/** Ends it politely, and the hard way when the server does not answer. */
export async function close(client: pg.Client): Promise<void> {
  const timer = setTimeout(() => destroy(client), 1_000)
  await client.end().catch(() => undefined)
  clearTimeout(timer)
}

/** Waits for an answer for so long; without one the connection is destroyed, since nothing more is known of it. */
export async function answered<T>(client: pg.Client, limitMs: number, question: () => Promise<T>): Promise<T> {
  const timer = setTimeout(() => destroy(client, new Silence(limitMs)), limitMs)
  try {
    return await question()
  } finally {
    clearTimeout(timer)
  }
}

/** No answer within the limit. */
class Silence extends Error {
  readonly code = 'ETIMEDOUT'

  constructor(limitMs: number) {
    super(`no answer within ${limitMs} ms`)
  }
}
