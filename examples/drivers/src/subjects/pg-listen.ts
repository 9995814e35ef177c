/**
 * pg, a Client that only listens.
 */
import pg from 'pg'
import type { Target } from '../protocol.ts'
import type { Subject } from '../subject.ts'

export function openDefault({ url }: Target): Subject {
  return {
    listen: async (channel, heard) => {
      const client = new pg.Client({ connectionString: url })
      await client.connect()
      client.on('notification', ({ payload = '' }) => heard(payload))
      await client.query(`LISTEN ${channel}`)
    },
  }
}

export function openMended({ url }: Target): Subject {
  // #region mended
  async function listen(channel: string, heard: (payload: string) => void): Promise<void> {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000, query_timeout: 2_000 })
    client.on('error', () => undefined)
    client.on('notification', ({ payload = '' }) => heard(payload))
    // Nothing tells a listener that it is alone: it must ask. A standby answers, too, and sends no notification.
    const look = async (): Promise<void> => {
      const { rows } = await client.query<{ standby: boolean }>('SELECT pg_is_in_recovery() AS standby')
      if (rows[0]?.standby !== false) throw new Error('no primary any more')
      setTimeout(() => void look().catch(again), 1_000)
    }
    const again = (): void => {
      void client.end().catch(() => undefined)
      setTimeout(() => void listen(channel, heard).catch(() => undefined), 200)
    }
    await client
      .connect()
      .then(() => client.query(`LISTEN ${channel}`))
      .then(look)
      .catch(again)
  }
  // #endregion
  return { listen }
}
