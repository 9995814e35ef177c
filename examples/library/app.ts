/**
 * The application under test: one pool, one address. Yours has a server in front of it; nothing else is different.
 */
import pg from 'pg'

export interface App {
  readonly post: (id: string, signal?: AbortSignal) => Promise<void>
  readonly close: () => Promise<void>
}

export function createApp(url: string): App {
  // Without limits, a client waits for ever for a server that stands still.
  const pool = new pg.Pool({ connectionString: url, connectionTimeoutMillis: 1_000, query_timeout: 1_000 })
  // Without a listener, an idle connection that ends would end the process.
  pool.on('error', () => undefined)
  return {
    post: async id => {
      await pool.query('INSERT INTO orders (id, item) VALUES ($1, $2)', [id, 'tea'])
    },
    close: () => pool.end(),
  }
}
