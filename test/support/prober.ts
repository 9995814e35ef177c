/**
 * An independent prober: a second client beside the instrument, written apart from it, that must come to the same figures.
 * It shares with the instrument `pg`, the process and its clock; nothing else. In the style of neither: a closed loop, one
 * connection, no schedule. Each insert follows the acknowledgement of the one before.
 */
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { met, notMet, waitUntil, type Cluster } from '../../src/index.ts'
import { pause } from '../../src/wait.ts'

/** A row whose insert was acknowledged. Its commit record ends in (`after`, `notAfter`] of the WAL of its node. */
export interface ProbedRow {
  readonly id: number
  readonly node: string
  /** When the acknowledgement came, performance.now(). */
  readonly at: number
  /** `pg_current_wal_lsn()` of the row before, asked before this insert was sent; 0 for the first on a node. */
  readonly after: bigint
  /** `pg_current_wal_lsn()`, asked after the acknowledgement; undefined where the server was gone before it answered. */
  readonly notAfter: bigint | undefined
}

/** What the prober found. */
export interface Probed {
  /** Acknowledged, in that order. */
  readonly rows: readonly ProbedRow[]
  readonly oldPrimary: string
  readonly newPrimary: string
  /** From the last acknowledgement by the old primary to the first by the new one; milliseconds. */
  readonly outageMs: number
  /**
   * How far `outageMs` may be from another client's figure for the prober's own reasons; milliseconds. The sum of three:
   *
   * - the two longest gaps between successive acknowledgements by one node, one for each edge of the outage: the old
   *   primary ceased to acknowledge somewhere in such a gap, and the first insert on the new one took as long as such a gap
   *   at most. The longest, not a percentile: an instant falls into a gap in proportion to its length, so that the longest
   *   1 % of the gaps, which p99 leaves out, meet more than 1 % of the crashes;
   * - from the last insert that the new primary refused as a standby to the one that it acknowledged, both when sent. It
   *   became a primary in between, or while that insert waited. This is the retry cadence where it mattered, measured.
   */
  readonly resolutionMs: number
  /**
   * From the last acknowledgement by the old primary until its connection was lost; milliseconds. Of a crash out of normal
   * work it is how well the moment of death is known, also when client or server stood still just then: for longer, maybe,
   * than in any of the gaps above. When commits waited for a standby before the crash, the waiting is in it.
   */
  readonly lostAfterMs: number
  /** Acknowledged ids that the new primary does not have. */
  readonly goneIds: readonly number[]
}

interface Limit {
  /** Limit of each thing that is waited for, in milliseconds. */
  readonly timeoutMs: number
}

const CONNECT_TIMEOUT_MS = 250
/** Longer than a cut and a standby's way to a new primary: an insert that waits for a synchronous standby is not given up. */
const QUERY_TIMEOUT_MS = 10_000
const RETRY_EVERY_MS = 5

/** https://www.postgresql.org/docs/current/errcodes-appendix.html: read_only_sql_transaction, what a standby answers. */
const READ_ONLY = '25006'

/** At work until {@link Prober.stop}. Disposing of it stops it. */
export class Prober implements AsyncDisposable {
  readonly #cluster: Cluster
  readonly #run = randomUUID()
  readonly #rows: ProbedRow[] = []
  readonly #clients = new Map<string, pg.Client>()
  #nextId = 0
  #blindMs = 0
  #lostAt = 0
  #isOver = false
  #loop: Promise<void> | undefined

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  /** Makes its table, and begins. @throws Error when no node accepts writes */
  async start(): Promise<void> {
    for (const { name } of this.#cluster.nodes) {
      const client = await this.#client(name)
      const { rows } = await client.query<{ standby: boolean }>('SELECT pg_is_in_recovery() AS standby')
      if (rows[0]?.standby !== false) continue
      await client.query('CREATE SCHEMA IF NOT EXISTS prober')
      await client.query('CREATE TABLE IF NOT EXISTS prober.rows (run uuid, id integer)')
      this.#loop = this.#probe(name)
      return
    }
    throw new Error('no node accepts writes')
  }

  /** Waits until nodes other than `past` have acknowledged so many rows. @throws LabError TIMEOUT */
  async acknowledges(
    count: number,
    { timeoutMs, past }: Limit & { readonly past?: string | undefined },
  ): Promise<void> {
    const observe = async (): Promise<ReturnType<typeof met<undefined>> | ReturnType<typeof notMet>> => {
      const there = this.#rows.filter(({ node }) => node !== past).length
      return there >= count ? met(undefined) : notMet(`${there} so far, ${this.#rows.length} in all`)
    }
    await waitUntil({ what: `${count} acknowledged rows of the prober`, observe }, { timeoutMs })
  }

  /** Ends it, and tells what it found. @throws Error when no second node acknowledged */
  async stop(): Promise<Probed> {
    this.#isOver = true
    await this.#loop
    const rows = this.#rows
    const first = rows.findIndex(({ node }) => node !== rows[0]?.node)
    const [lastOld, firstNew] = [rows[first - 1], rows[first]]
    if (lastOld === undefined || firstNew === undefined) throw new Error('the prober was acknowledged by one node only')
    const there = await this.#survivors(firstNew.node)
    return {
      rows,
      oldPrimary: lastOld.node,
      newPrimary: firstNew.node,
      outageMs: firstNew.at - lastOld.at,
      resolutionMs: twoLongestGaps(rows) + this.#blindMs,
      lostAfterMs: this.#lostAt - lastOld.at,
      goneIds: rows.flatMap(({ id }) => (there.has(id) ? [] : [id])),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    await this.#loop
    await Promise.all([...this.#clients.keys()].map(node => this.#discard(node)))
  }

  /** Inserts into `first` until it is gone, then into whichever other node takes an insert, and so on. */
  async #probe(first: string): Promise<void> {
    let node: string | undefined = first
    while (node !== undefined) {
      while (!this.#isOver && (await this.#insert(node)) === 'acknowledged');
      node = this.#isOver ? undefined : await this.#findOther(node)
    }
  }

  /** Tries every other node in turn, until one has acknowledged an insert; undefined when the prober is stopped. */
  async #findOther(lost: string): Promise<string | undefined> {
    const refusedAt = new Map<string, number>()
    this.#lostAt = performance.now()
    const others = this.#cluster.nodes.map(({ name }) => name).filter(name => name !== lost)
    while (!this.#isOver) {
      for (const node of others) {
        // Connected before the clock is read: an instant at which an insert was sent, not one at which it was intended.
        await this.#client(node).catch(() => undefined)
        const sentAt = performance.now()
        const outcome = await this.#insert(node)
        if (outcome === 'acknowledged') {
          this.#blindMs = sentAt - (refusedAt.get(node) ?? this.#lostAt)
          return node
        }
        if (outcome === 'refused') refusedAt.set(node, sentAt)
      }
      await pause(RETRY_EVERY_MS)
    }
    return undefined
  }

  /** One insert, with an id of its own also where the one before failed: that one may have been committed. */
  async #insert(node: string): Promise<'acknowledged' | 'refused' | 'gone'> {
    const id = this.#nextId++
    const after = this.#rows.findLast(row => row.node === node)?.notAfter ?? 0n
    try {
      const client = await this.#client(node)
      await client.query({ name: 'insert', text: 'INSERT INTO prober.rows VALUES ($1, $2)', values: [this.#run, id] })
      const at = performance.now()
      const place = this.#rows.push({ id, node, at, after, notAfter: undefined }) - 1
      this.#rows[place] = { id, node, at, after, notAfter: await currentLsn(client) }
      return 'acknowledged'
    } catch (error) {
      if (error instanceof pg.DatabaseError && error.code === READ_ONLY) return 'refused'
      await this.#discard(node)
      return 'gone'
    }
  }

  async #client(node: string): Promise<pg.Client> {
    const known = this.#clients.get(node)
    if (known !== undefined) return known
    const { superuser, database } = this.#cluster.topology
    const client = new pg.Client({
      ...this.#cluster.runtime.clientEndpoint(node),
      ...{ user: superuser.user, password: superuser.password, database, ssl: false, application_name: 'prober' },
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
    })
    client.on('error', () => undefined) // what was asked fails, which is where it is dealt with
    this.#clients.set(node, client)
    try {
      await client.connect()
    } catch (error) {
      this.#clients.delete(node)
      throw error
    }
    return client
  }

  async #discard(node: string): Promise<void> {
    const client = this.#clients.get(node)
    this.#clients.delete(node)
    // Not awaited: the goodbye to a server that is gone may stay without an answer, and the next node is waiting.
    client?.end().catch(() => undefined)
  }

  async #survivors(node: string): Promise<ReadonlySet<number>> {
    const client = await this.#client(node)
    const { rows } = await client.query<{ id: number }>('SELECT id FROM prober.rows WHERE run = $1', [this.#run])
    return new Set(rows.map(({ id }) => id))
  }
}

/** Starts one, and returns when it is at work. @throws Error when no node accepts writes */
export async function startProber(cluster: Cluster, { timeoutMs }: Limit): Promise<Prober> {
  const prober = new Prober(cluster)
  try {
    await prober.start()
    await prober.acknowledges(50, { timeoutMs })
  } catch (error) {
    await prober[Symbol.asyncDispose]()
    throw error
  }
  return prober
}

function twoLongestGaps(rows: readonly ProbedRow[]): number {
  const gaps = rows.slice(1).map(({ at, node }, before) => {
    const previous = rows[before]
    return previous?.node === node ? at - previous.at : 0
  })
  const [longest = 0, second = 0] = gaps.sort((a, b) => b - a)
  return longest + second
}

/** As PostgreSQL subtracts it: a number of bytes, without parsing an LSN here. */
async function currentLsn(client: pg.Client): Promise<bigint> {
  const text = "SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::text AS lsn"
  const { rows } = await client.query<{ lsn: string }>({ name: 'lsn', text })
  return BigInt(rows[0]?.lsn ?? '')
}
