/**
 * pg, one Client for as long as the process lives.
 */
import pg from 'pg'
import type { Target } from '../protocol.ts'
import { insertInto, type Subject } from '../subject.ts'

export async function openDefault({ url, table }: Target): Promise<Subject> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return writing(table, work => work(client))
}

export function openMended({ url, table }: Target): Subject {
  // #region mended
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000, query_timeout: 2_000 })
    client.on('error', () => undefined) // without a listener it ends the process
    await client.connect()
    return client
  }
  let current: Promise<pg.Client> | undefined
  /** A Client that has failed never connects again: another takes its place. */
  async function withClient<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const mine = (current ??= connect())
    try {
      return await work(await mine)
    } catch (error) {
      if (current === mine) current = undefined
      void mine.then(client => client.end()).catch(() => undefined)
      throw error
    }
  }
  // #endregion
  return writing(table, withClient)
}

type WithClient = <T>(work: (client: pg.Client) => Promise<T>) => Promise<T>

const writing = (table: string, withClient: WithClient): Subject => ({
  isOneAtATime: true,
  write: (id, seconds) => withClient(client => client.query(insertInto(table), [id, seconds])),
  transaction: (id, seconds) => withClient(client => transact(client, { table, id, seconds })),
})

/** As every example has it, without a word about the rollback that fails, too. */
export async function transact(
  client: pg.ClientBase,
  { table, id, seconds }: { readonly table: string; readonly id: string; readonly seconds: number },
): Promise<void> {
  await client.query('BEGIN')
  try {
    await client.query(insertInto(table), [id, 0])
    await client.query('SELECT pg_sleep($1)', [seconds])
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  }
}
