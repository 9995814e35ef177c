/**
 * The delayed standby: a table that was dropped by mistake.
 * Question: what does a standby that applies an hour late have, when the mistake is on every other node within milliseconds?
 * You will see: DROP TABLE replicated, the table still on the delayed standby, brought forward to just before the drop, and
 * copied back.
 * Run: pnpm run lesson delayed-standby [--step]; pnpm run delay is the command
 */
import assert from 'node:assert/strict'
import * as lab from '../src/demo/index.ts'

const LIMIT = { timeoutMs: 60_000 }
const TABLE = 'public.orders_by_mistake'
const HOUR_MS = 3_600_000

export default lab.demo(
  {
    name: 'delayed-standby',
    title: 'The delayed standby: a table that was dropped by mistake',
    question: 'What does a standby that applies late still have, when the mistake is everywhere else?',
    learnt:
      'Replication copies mistakes as fast as anything else. A standby with recovery_min_apply_delay receives WAL at once and applies each commit only when it is old enough, so it is a window to undo. The first thing to do is to pause its replay. Brought forward to just before the mistake (recovery_target_lsn), it has what was written within the delay too. It is no replacement for backups: the window is short, and a promoted delayed standby applies everything at once.',
    summary: 'drop a table by mistake, and get it back from a standby that applies an hour late',
    options: {},
  },
  async ({ cluster, narrate, signal, step }) => {
    const limits = { ...LIMIT, signal }
    const learner = { as: 'superuser', signal } as const
    const all = await cluster.status(signal)
    const primary = lab.primaryOf(all).name
    const [other = '', delayed = ''] = lab.standbysOf(all).map(({ name }) => name)
    const count = async (node: string): Promise<number> => {
      const [row] = await cluster.query<{ count: number }>(node, `SELECT count(*)::int AS count FROM ${TABLE}`, learner)
      return row?.count ?? 0
    }
    const position = async (): Promise<lab.Lsn> => (await cluster.primary(signal)).currentLsn

    await step(`${delayed} applies an hour late`, 'It receives WAL at once; commits wait until they are old enough.', [
      'pnpm run status',
    ])
    await lab.delayReplay(cluster, delayed, { byMs: 0, ...limits }) // it may have one already
    await cluster.query(primary, `DROP TABLE IF EXISTS ${TABLE}`, learner)
    await cluster.query(primary, `CREATE TABLE ${TABLE} AS SELECT n AS id FROM generate_series(1, 1000) AS n`, learner)
    await lab.waitUntil(lab.caughtUp(cluster, delayed, await position()), limits)
    await using _delay = {
      [Symbol.asyncDispose]: async () => {
        await lab.delayReplay(cluster, delayed, { byMs: 0, ...LIMIT })
      },
    }
    await lab.delayReplay(cluster, delayed, { byMs: HOUR_MS, ...limits })
    await cluster.query(primary, `INSERT INTO ${TABLE} VALUES (1001)`, learner)

    await step('The mistake', `On ${other} the table is gone as soon as on the primary.`)
    const justBefore = await position()
    await cluster.query(primary, `DROP TABLE ${TABLE}`, learner)
    await lab.waitUntil(lab.caughtUp(cluster, other, await position()), limits)
    const refusal = await cluster.attempt(other, `SELECT count(*) FROM ${TABLE}`, learner)
    narrate.say(`${other}: ERROR ${refusal?.code}: ${refusal?.message}`)
    assert.equal(refusal?.code, '42P01', 'the mistake was replicated')

    await step(`First: pause the replay of ${delayed}`, 'Then there is time to think.', [
      `pnpm run psql ${delayed} -c "SELECT count(*) FROM ${TABLE}"`,
    ])
    await using paused = await lab.pauseReplay(cluster, delayed, limits)
    narrate.say(`${delayed} has ${await count(delayed)} rows, as they were an hour ago`)
    assert.equal(await count(delayed), 1000)

    await step(
      'Forward, to just before the mistake',
      `recovery_target_lsn, which pg_waldump finds: ${lab.formatLsn(justBefore)}`,
    )
    await using stopped = await lab.replayUntil(cluster, delayed, { lsn: justBefore, ...limits })
    narrate.say(`${delayed} has ${await count(delayed)} rows`)

    await step('The table goes back to the primary')
    const recovered = await lab.recoverTable(cluster, { table: TABLE, from: delayed, ...limits })
    narrate.say(`${recovered.rows} rows are back on ${recovered.to}`)
    assert.equal(await count(primary), 1001, 'every row is back, also the one of the last hour')

    await step('How it ends', 'The delay ends, and every node has the table again.')
    await stopped[Symbol.asyncDispose]()
    await paused[Symbol.asyncDispose]()
    await lab.delayReplay(cluster, delayed, { byMs: 0, ...limits })
    await lab.waitUntil(lab.caughtUp(cluster, delayed, await position()), limits)
    assert.equal(await count(delayed), 1001)
    await cluster.query(primary, `DROP TABLE ${TABLE}`, learner)
    lab.narrateStatus(narrate, await cluster.status(signal))
    return { version: 1, runtime: cluster.runtime.name, delayed, recovered }
  },
)
