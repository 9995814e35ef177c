/**
 * A cluster for a test, by what it is to be, and without a compose file.
 */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { escapeIdentifier } from 'pg'
import { LabError } from '../errors.ts'
import { packagedComposeFile } from '../lab.ts'
import { changeSynchronous } from '../operations/synchronous.ts'
import { standbysFor, type Synchronous, type SynchronousWord } from '../postgres/synchronous.ts'
import { literal } from '../postgres/sql.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { startTemporaryCluster } from '../temporary-cluster.ts'
import type { Variables } from '../topology/compose/interpolation.ts'
import type { Shape } from '../topology/shape.ts'
import type { Account, AddressOptions } from './addresses.ts'
import { TestCluster } from './cluster.ts'

export interface StartOptions extends Shape {
  /** A major version (`17`), or a folder with PostgreSQL's programs. @default what is there */
  readonly postgres?: string | number | undefined
  /** @default LAB_RUNTIME, else Docker if an engine answers and can run the image, else local */
  readonly runtime?: Runtime['name'] | undefined
  /** What a commit waits for; with a word at synchronous_commit = on. @default 'off' */
  readonly synchronous?: SynchronousWord | Synchronous | undefined
  /** Further databases, beside `testdb`; all are owned by the role `app`. */
  readonly databases?: readonly string[] | undefined
  /** SQL, or a function, that makes the application's tables, as the role `app`; after every reset, too. */
  readonly schema?: string | ((cluster: TestCluster) => Promise<unknown>) | undefined
  /** How the addresses behave at a promotion. @default at once, keeping old connections */
  readonly address?: AddressOptions | undefined
  /** Folders and containers are named so, and a random suffix. @default 'test' */
  readonly name?: string | undefined
  /** Until it is up, in milliseconds: an image may have to be pulled first. @default 300000 */
  readonly timeoutMs?: number | undefined
  /** LAB_STATE_DIR and the like. @default process.env */
  readonly environment?: Variables | undefined
  readonly signal?: AbortSignal | undefined
}

const START_TIMEOUT_MS = 300_000
const SETTING_TIMEOUT_MS = 60_000

/**
 * Starts one primary and its standbys, for a test alone: free ports, names of its own, gone without a trace when it is
 * disposed of, and when this process ends, whatever ends that.
 * @throws LabError USAGE, NO_RUNTIME, TIMEOUT
 * @example
 * ```ts
 * await using cluster = await startCluster({ schema: 'CREATE TABLE orders (id text PRIMARY KEY)' })
 * await cluster.failover()
 * ```
 */
export async function startCluster(options: StartOptions = {}): Promise<TestCluster> {
  const { name = 'test', timeoutMs = START_TIMEOUT_MS, address = {}, signal } = options
  const environment = environmentFor(options)
  const runtime = options.runtime ?? (isFolder(options.postgres) ? 'local' : undefined)
  const core = await startTemporaryCluster({
    ...{ name, timeoutMs, signal, environment, runtime, fromTemplate: true },
    ...(await fileFor(options)),
  })
  const app: Account = {
    user: 'app',
    password: randomBytes(18).toString('base64url'),
    database: core.topology.database,
  }
  return await TestCluster.over(core, { app, address, prepare: cluster => prepare(cluster, app, options) })
}

/** Whether the compose file that comes with the lab is as it is wanted already. */
const isAsShipped = ({ replicas = 2, settings = {} }: Shape): boolean =>
  replicas === 2 && Object.keys(settings).length === 0

async function fileFor(shape: Shape): Promise<{ readonly file: string } | { readonly compose: string }> {
  const file = packagedComposeFile()
  if (isAsShipped(shape)) return { file }
  const { shaped } = await import('../topology/shape.ts')
  return { compose: shaped(await readFile(file, 'utf8'), dirname(file), shape) }
}

const isFolder = (postgres: StartOptions['postgres']): boolean => typeof postgres === 'string' && postgres.includes('/')

/** Who may do what in some other database of the project is nothing to this one. */
const OTHERS = ['POSTGRES_USER', 'POSTGRES_PASSWORD', 'POSTGRES_DB', 'LAB_USER', 'LAB_PASSWORD']
const OF_OTHERS: ReadonlySet<string> = new Set([...OTHERS, 'REPLICATION_USER', 'REPLICATION_PASSWORD'])

/** For whichever runtime it comes to. @throws LabError USAGE */
function environmentFor({ postgres, environment: around = process.env }: StartOptions): Variables {
  const environment = Object.fromEntries(Object.entries(around).filter(([name]) => !OF_OTHERS.has(name)))
  if (postgres === undefined) return environment
  if (isFolder(postgres)) return { ...environment, LAB_PG_BIN: String(postgres) }
  if (/^\d+$/.test(String(postgres)))
    return { ...environment, LAB_PG_BIN: String(postgres), POSTGRES_IMAGE: `postgres:${postgres}` }
  throw new LabError('USAGE', `${JSON.stringify(postgres)} is no version of PostgreSQL`, {
    hint: "Name a major version, '17', or a folder with PostgreSQL's programs.",
  })
}

/** The application's role, its databases, its schema, and what commits wait for. */
async function prepare(
  cluster: TestCluster,
  { user, password, database }: Account,
  { databases = [], schema, synchronous }: StartOptions,
): Promise<void> {
  const role = escapeIdentifier(user)
  const run = (sql: string): Promise<unknown> => cluster.query(sql, [], { as: 'superuser' })
  await run(`CREATE ROLE ${role} LOGIN PASSWORD ${literal(password)}`)
  await run(`ALTER DATABASE ${escapeIdentifier(database)} OWNER TO ${role}`)
  for (const other of databases) await run(`CREATE DATABASE ${escapeIdentifier(other)} OWNER ${role}`)
  if (typeof schema === 'string') await cluster.query(schema)
  else await schema?.(cluster)
  await cluster.waitForCatchUp()
  const setting = typeof synchronous === 'string' ? wordSetting(synchronous) : synchronous
  if (setting === undefined || setting.standbys === 'asynchronous') return
  await changeSynchronous(cluster.core, setting, { timeoutMs: SETTING_TIMEOUT_MS })
}

const wordSetting = (word: SynchronousWord): Synchronous => ({ standbys: standbysFor(word), synchronousCommit: 'on' })
