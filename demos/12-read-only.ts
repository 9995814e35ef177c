/**
 * Read-only surprises: a primary that was demoted, and queries on a standby that are cancelled.
 * Question: what does an application meet that goes on talking to the same server?
 * You will see: SQLSTATE 25006 after a switchover, 40001 on a standby, and what hot_standby_feedback costs the primary.
 * Run: pnpm run lesson read-only [--step]
 */
import assert from 'node:assert/strict'
import * as lab from '../src/demo/index.ts'

const LIMIT = { timeoutMs: 60_000 }
const TABLE = 'public.read_only'
const ROWS = 10_000
const FILL = `INSERT INTO ${TABLE} SELECT n FROM generate_series(1, ${ROWS}) AS n`
/** Long against the delay below; it is cancelled, or ended by us. */
const REPORT = `SELECT count(*) FROM ${TABLE} CROSS JOIN (SELECT pg_sleep(5)) AS slow`
const RUNS = {
  what: 'the query to run',
  text: "SELECT pid FROM pg_stat_activity WHERE application_name = 'report' AND wait_event = 'PgSleep'",
}

export default lab.demo(
  {
    name: 'read-only',
    title: 'Read-only surprises: a demoted primary, and queries that are cancelled on a standby',
    question: 'What does an application meet that goes on talking to the same server?',
    learnt:
      'Roles move, addresses do not: after a switchover the old address answers, reads well, and refuses every write with 25006, so a client must ask who accepts writes (target_session_attrs=read-write does). A query on a standby that needs rows which the primary has vacuumed holds up replay, and is cancelled with 40001 after max_standby_streaming_delay. hot_standby_feedback saves the query, and the price is on the primary: the dead rows stay as long as the query runs.',
    summary: 'meet 25006 on a demoted primary and 40001 on a standby, and pay for hot_standby_feedback',
    options: {},
  },
  async ({ cluster, narrate, signal, step }) => {
    const limits = { ...LIMIT, signal }
    const learner = { as: 'superuser', signal } as const

    await step('An application knows one address', 'A connection pool with the host of the primary in its settings.')
    const old = (await cluster.primary(signal)).name
    await cluster.query(old, `CREATE TABLE IF NOT EXISTS ${TABLE} (id int)`, { signal })

    await step('A switchover, and the pool reconnects', 'To the same host, which answers.', [
      `pnpm run psql ${old} -c "INSERT INTO ${TABLE} VALUES (0)"`,
    ])
    const { newPrimary } = await lab.switchover(cluster, limits)
    const refusal = await cluster.attempt(old, `INSERT INTO ${TABLE} VALUES (0)`, { signal })
    narrate.say(`ERROR ${refusal?.code}: ${refusal?.message}`)
    assert.equal(refusal?.code, '25006', 'a demoted primary refuses to write: read_only_sql_transaction')
    await cluster.query(newPrimary, FILL, { signal })

    await step('A long query on a standby', 'Its snapshot needs rows that the primary is about to vacuum away.', [
      `pnpm run psql ${old} -c "SELECT * FROM pg_stat_database_conflicts WHERE datname = 'testdb'"`,
    ])
    const settings = { max_standby_streaming_delay: '100ms', wal_receiver_status_interval: '1s' }
    await using _delay = await lab.temporarySettings(cluster, old, { settings, ...limits })
    const cancelled = await runReport(cluster, old, async () => await vacuumed(cluster, newPrimary))
    narrate.say(`ERROR ${cancelled.error?.code}: ${cancelled.error?.message}`)
    assert.equal(cancelled.error?.code, '40001', 'the query is cancelled: conflict with recovery')

    await step('The same with hot_standby_feedback', 'The standby tells the primary which rows its queries need.', [
      'pnpm run psql primary -c "SELECT slot_name, xmin FROM pg_replication_slots"',
    ])
    await using _feedback = await lab.temporarySettings(cluster, old, {
      settings: { hot_standby_feedback: 'on' },
      ...limits,
    })
    const xmin = `SELECT xmin FROM pg_replication_slots WHERE slot_name = '${old}' AND xmin IS NOT NULL`
    const told = { what: `${old} to tell which rows it needs`, text: xmin }
    await lab.waitUntil(lab.returnsRow(cluster, newPrimary, told), limits)
    await cluster.query(newPrimary, FILL, { signal })
    await lab.waitUntil(lab.caughtUp(cluster, old, (await cluster.primary(signal)).currentLsn), limits)
    const spared = await runReport(cluster, old, async () => await vacuumed(cluster, newPrimary))
    narrate.say(`the query counted ${spared.count} rows`)
    narrate.say(`VACUUM on the primary meanwhile: ${spared.vacuum}`)
    assert.equal(spared.error, undefined, 'the query is not cancelled')
    assert.equal(Number(spared.count), ROWS, 'it sees what was there when it began')
    assert.match(spared.vacuum, new RegExp(`${ROWS} are dead but not yet removable`), 'the price: the rows stay')

    await step('How it ends')
    await cluster.query(newPrimary, `DROP TABLE ${TABLE}`, learner)
    lab.narrateStatus(narrate, await cluster.status(signal))
    return {
      ...{ version: 1, runtime: cluster.runtime.name, demoted: { node: old, code: refusal.code } },
      conflict: { code: cancelled.error.code, vacuum: cancelled.vacuum },
      feedback: { rows: Number(spared.count), vacuum: spared.vacuum },
    }
  },
)

interface Report {
  readonly count: string | undefined
  readonly error: lab.Refusal | undefined
  readonly vacuum: string
}

/** Runs the long query on a standby, and something on the primary as soon as the query runs. */
async function runReport(cluster: lab.Cluster, standby: string, meanwhile: () => Promise<string>): Promise<Report> {
  await using session = await cluster.connect(standby, { applicationName: 'report' })
  let count: string | undefined
  const ended = session.query<{ count: string }>(REPORT, [], LIMIT).then(
    ([row]) => void (count = row?.count),
    (error: unknown) => lab.refusalOf(error),
  )
  await lab.waitUntil(lab.returnsRow(cluster, standby, RUNS), LIMIT)
  const vacuum = await meanwhile()
  return { error: (await ended) ?? undefined, count, vacuum }
}

/** Everything is deleted and vacuumed; what VACUUM says of the rows. */
async function vacuumed(cluster: lab.Cluster, primary: string): Promise<string> {
  await cluster.query(primary, `DELETE FROM ${TABLE}`)
  await using session = await cluster.connect(primary)
  let said = ''
  session.onNotice(({ message }) => (said += message))
  await session.query(`VACUUM (VERBOSE) ${TABLE}`, [], LIMIT)
  return /tuples: .*/.exec(said)?.[0] ?? said
}
