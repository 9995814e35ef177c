/**
 * A connection pool in a failover: the roles change, and the pool keeps what it has.
 * Question: why does my application go on failing after the failover is over?
 * You will see: three pools in one switchover; one of them fails for ever, and how each of the others does not.
 * Run: pnpm run lesson connection-pool [--step]
 */
import assert from 'node:assert/strict'
import * as lab from '../src/demo/index.ts'

const LIMIT = { timeoutMs: 60_000 }
const TABLE = 'public.orders_of_a_pool'
const INSERT = `INSERT INTO ${TABLE} DEFAULT VALUES`
const REQUESTS = 20
const SIZE = 4

export default lab.demo(
  {
    name: 'connection-pool',
    title: 'A connection pool in a failover: what it keeps, and for how long',
    question: 'Why does my application go on failing after the failover is over?',
    learnt:
      'The old primary comes back as a standby, and until the address moves (a DNS name that is still cached, a proxy that has not looked yet) new connections are led to it. They are good connections: they answer, and refuse every write with 25006. A pool that gets each back with release() has no reason to drop it, so they stay after the address has moved, for as long as there are requests. release(error) drops each after its first failure. A pool that asks the servers for their role has no such connection, and needs no address that moves. What each of the usual drivers does is in docs/drivers.md, and what to set in docs/applications.md.',
    summary: 'three pools in a switchover: one keeps sessions with a demoted server for ever',
    options: {},
  },
  async ({ cluster, narrate, signal, step }) => {
    const limits = { ...LIMIT, signal }
    const old = (await cluster.primary(signal)).name
    await cluster.query(old, `CREATE TABLE IF NOT EXISTS ${TABLE} (id int GENERATED ALWAYS AS IDENTITY)`, { signal })

    await step(
      'Three applications',
      `Each has a pool of ${SIZE}; two of them know one address, the third all three servers.`,
    )
    let leadsTo = old
    await using address = await lab.Address.open(() => cluster.clientEndpoint(leadsTo))
    const server = { ...address.endpoint, ...cluster.topology.lab, database: cluster.topology.database }
    const open = (applicationName: string, givesBack: lab.GivesBack): lab.AppPool =>
      lab.openAppPool(server, INSERT, { applicationName, givesBack, size: SIZE })
    await using keeps = open('release()', 'always')
    await using drops = open('release(error)', 'unless-failed')
    await using through = lab.throughRouter(cluster, { connections: SIZE })
    const routed = through.router.pool('write')
    const request = async (): Promise<Record<string, lab.Answers>> => ({
      'release()': await keeps.request(REQUESTS),
      'release(error)': await drops.request(REQUESTS),
      'the router': await lab.requestAll(routed, INSERT, { givesBack: 'always', size: SIZE, count: REQUESTS }),
    })
    const tell = (answers: Record<string, lab.Answers>): void =>
      narrate.table(
        ['pool', 'answered', 'refused'],
        Object.entries(answers).map(([pool, { done, errors }]) => [pool, done, said(errors)]),
      )
    const before = await request()
    tell(before)

    await step(`A switchover: ${old} is a standby now`, 'The address still leads to it, as a cached DNS name does.', [
      `pnpm run psql ${old} -c "SELECT application_name, count(*) FROM pg_stat_activity GROUP BY 1"`,
    ])
    const { newPrimary } = await lab.switchover(cluster, limits)
    const meanwhile = await request()
    tell(meanwhile)

    await step('The address moves', `New connections are led to ${newPrimary}. All should be well.`)
    leadsTo = newPrimary
    const after = await request()
    tell(after)
    assert.deepEqual(after['release()'], { done: 0, errors: { 25006: REQUESTS } }, 'it has no reason to drop them')
    assert.deepEqual(after['release(error)'], { done: REQUESTS, errors: {} }, 'each was dropped after its failure')
    assert.deepEqual(after['the router'], { done: REQUESTS, errors: {} }, 'it knows who is the primary')

    await step(`Who is still connected to ${old}`)
    const sessions = await cluster.query<{ pool: string; sessions: number }>(old, SESSIONS, { as: 'superuser', signal })
    for (const { pool, sessions: count } of sessions) narrate.say(`${pool}: ${lab.counted(count, 'session')}`)
    assert.deepEqual(sessions, [{ pool: 'release()', sessions: SIZE }], 'the others hold none')

    await step('How it ends')
    await cluster.query(newPrimary, `DROP TABLE ${TABLE}`, { as: 'superuser', signal })
    lab.narrateStatus(narrate, await cluster.status(signal))
    return { version: 1, runtime: cluster.runtime.name, before, meanwhile, after, sessions }
  },
)

const said = (errors: lab.Answers['errors']): string =>
  Object.entries(errors)
    .map(([code, count]) => `${count} with ${code}`)
    .join(', ') || 'none'

const SESSIONS = `SELECT application_name AS pool, count(*)::int AS sessions FROM pg_stat_activity
  WHERE application_name IN ('release()', 'release(error)', 'lab writer') GROUP BY 1 ORDER BY 1`
