/**
 * Lag, measured: a burst of inserts, when each was visible on each standby, and what the looking cost.
 */
import { randomBytes } from 'node:crypto'
import { codeOf, LabError, messageOf } from '../errors.ts'
import type { LagMeasurement, SamplingCost } from '../measure/lag.ts'
import { summaryOf } from '../measure/statistics.ts'
import type { Session } from '../postgres/connection.ts'
import { durationOf, lagsOf, runBurst, type Burst, type BurstOptions, type Servers } from '../client/burst.ts'

export interface LagOptions extends Omit<BurstOptions, 'insert'> {
  /** Told of each burst when it begins. */
  readonly onStep?: ((step: string) => void) | undefined
}

/** Inserts that nothing is measured of: the first on a connection are slower, and pages of a new table are made. */
const WARM_UP = 20

/**
 * The same burst without looks, with, and without again; what is measured is the one with. Its table is in a schema of its
 * own, which is removed at the end, also after an error.
 * @throws LabError USAGE when the servers are not a primary and its standbys, or the role may not create a schema; those of {@link runBurst}
 */
export async function runLag(servers: Servers, options: LagOptions): Promise<LagMeasurement> {
  const { primary } = servers
  const postgresVersion = await requireOneCluster(servers, options.signal)
  const schema = `lab_lag_${randomBytes(4).toString('hex')}`
  await using _schema = await makeSchema(servers, schema, options.signal)
  const insert = `INSERT INTO ${schema}.inserts (id) VALUES ($1)`
  const alone = { primary, standbys: [] }
  await runBurst(alone, { ...options, insert, inserts: WARM_UP, ratePerSecond: undefined })
  const burst = async (step: string, of: Servers): Promise<Burst> => {
    options.onStep?.(`${options.inserts} inserts, ${step}`)
    return await runBurst(of, { ...options, insert })
  }
  const before = await burst('nobody looking (1 of 3)', alone)
  const looked = await burst('the standbys looked at (2 of 3)', servers)
  const after = await burst('nobody looking (3 of 3)', alone)
  return {
    version: 1,
    postgresVersion,
    primary: primary.name,
    inserts: options.inserts,
    ratePerSecond: options.ratePerSecond ?? null,
    burstMs: durationOf(looked),
    insertMs: summaryOf(looked.commits.map(({ dueAt, acknowledgedAt }) => acknowledgedAt - dueAt)),
    standbys: lagsOf(looked),
    sampling: costOf(looked, { without: [before, after], everyMs: options.lookEveryMs ?? 0 }),
  }
}

function costOf(
  looked: Burst,
  { without, everyMs }: { readonly without: readonly Burst[]; readonly everyMs: number },
): SamplingCost {
  const perSecond = (burst: Burst): number => (burst.commits.length * 1000) / durationOf(burst)
  const insertsPerSecond = {
    without: without.map(perSecond).reduce((sum, one) => sum + one, 0) / without.length,
    with: perSecond(looked),
  }
  return { everyMs, insertsPerSecond, ratio: insertsPerSecond.with / insertsPerSecond.without, n: without.length }
}

interface Identity {
  readonly in_recovery: boolean
  readonly system: string
  readonly version: string
}

/** Returns the primary's version. */
async function requireOneCluster({ primary, standbys }: Servers, signal: AbortSignal | undefined): Promise<string> {
  const [first, ...others] = await Promise.all([primary, ...standbys].map(server => identityOf(server, signal)))
  if (first === undefined || first.in_recovery) {
    throw new LabError('USAGE', `${primary.name} is a standby, not the primary`, {
      hint: 'Name the server that accepts writes with --primary.',
    })
  }
  for (const [at, other] of others.entries()) {
    const name = standbys[at]?.name ?? ''
    if (!other.in_recovery)
      throw new LabError('USAGE', `${name} is a primary, not a standby`, { hint: 'Name its standbys with --standby.' })
    if (other.system !== first.system) {
      throw new LabError('USAGE', `${name} is no standby of ${primary.name}: their system identifiers differ`, {
        hint: 'Both must be servers of one cluster.',
      })
    }
  }
  return first.version.split(' ')[0] ?? ''
}

async function identityOf(server: Servers['primary'], signal: AbortSignal | undefined): Promise<Identity> {
  await using session = await server.connect(signal)
  const question =
    "SELECT pg_is_in_recovery() AS in_recovery, system_identifier::text AS system, current_setting('server_version') AS version FROM pg_control_system()"
  const [row] = await session.query<Identity>(question)
  if (row === undefined) throw new Error('a SELECT of a function returns a row')
  return row
}

async function makeSchema(
  { primary }: Servers,
  schema: string,
  signal: AbortSignal | undefined,
): Promise<AsyncDisposable> {
  await using session = await primary.connect(signal)
  await refusable(session, `CREATE SCHEMA ${schema}`)
  const dispose = async (): Promise<void> => {
    await using last = await primary.connect() // not with the signal: it is removed also after Ctrl-C
    await last.query(`DROP SCHEMA ${schema} CASCADE`)
  }
  try {
    await session.query(`CREATE TABLE ${schema}.inserts (id integer NOT NULL, at timestamptz NOT NULL DEFAULT now())`)
  } catch (error) {
    await dispose()
    throw error
  }
  return { [Symbol.asyncDispose]: dispose }
}

async function refusable(session: Session, statement: string): Promise<void> {
  try {
    await session.query(statement)
  } catch (error) {
    if (codeOf(error) !== INSUFFICIENT_PRIVILEGE) throw error
    throw new LabError('USAGE', `the server refused ${statement}: ${messageOf(error)}`, {
      hint: 'The inserts go to a schema of their own, which is removed at the end: GRANT CREATE ON DATABASE … TO the role.',
      cause: error,
    })
  }
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const INSUFFICIENT_PRIVILEGE = '42501'
