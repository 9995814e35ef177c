/**
 * Cascading: a standby that follows a standby.
 * Question: what happens to it when the one in the middle dies, and when the primary does?
 * You will see: a chain of three, its end standing still without the middle, and following to a new timeline.
 * Run: pnpm run lesson cascading [--step]; pnpm run cascade is the command
 */
import assert from 'node:assert/strict'
import * as lab from '../src/demo/index.ts'

const LIMIT = { timeoutMs: 60_000 }
const TABLE = 'public.cascading'

export default lab.demo(
  {
    name: 'cascading',
    title: 'Cascading: a standby that follows a standby',
    question: 'What happens to it when the one in the middle dies, and when the primary does?',
    learnt:
      'A standby can send on what it receives, which takes work and network from the primary. The end of the chain depends on the middle: without it, it answers reads from a past that grows older, looks for nobody else, and no slot on the primary keeps WAL for it. When the middle is promoted, it comes along to the new timeline by itself, because recovery_target_timeline is latest. pg_stat_replication shows each server only those that it sends to, so watch the middle too.',
    summary: 'chain a standby behind a standby, and let first the middle die, then the primary',
    replication: 'asynchronous',
    options: {},
  },
  async ({ cluster, narrate, signal, step }) => {
    const limits = { ...LIMIT, signal }
    const all = await cluster.status(signal)
    const primary = lab.primaryOf(all).name
    const [middle = '', end = ''] = lab.standbysOf(all).map(({ name }) => name)
    const count = async (): Promise<number> => {
      const [row] = await cluster.query<{ count: number }>(end, `SELECT count(*)::int AS count FROM ${TABLE}`, {
        signal,
      })
      return row?.count ?? 0
    }
    const write = async (node: string): Promise<unknown> =>
      await cluster.query(node, `INSERT INTO ${TABLE} SELECT generate_series(1, 100)`, { signal })

    await step(`${end} follows ${middle}`, 'Its primary_conninfo names the middle alone, and its slot is there.', [
      `pnpm run psql ${middle} -c "SELECT application_name, state FROM pg_stat_replication"`,
    ])
    await lab.cascade(cluster, end, { from: middle, ...limits })
    await cluster.query(primary, `CREATE TABLE IF NOT EXISTS ${TABLE} (n int)`, { signal })
    await cluster.query(primary, `TRUNCATE ${TABLE}`, { signal })
    await write(primary)
    await lab.waitUntil(lab.caughtUp(cluster, end, (await cluster.primary(signal)).currentLsn), limits)
    lab.narrateStatus(narrate, await cluster.status(signal))
    assert.equal(await count(), 100, 'what is written on the primary arrives through the middle')

    await step('The middle dies', 'The primary and its clients notice nothing.', [
      `pnpm run psql ${end} -c "SELECT count(*) FROM ${TABLE}"`,
    ])
    await lab.crash(cluster, middle)
    await write(primary)
    narrate.say(`${end} answers, and counts ${await count()} of 200 rows`)
    assert.equal(await count(), 100, 'the end of the chain stands still')

    await step('The middle comes back')
    narrate.event({ kind: 'command', node: middle, text: await cluster.runtime.start(middle, { signal }) })
    await lab.waitUntil(lab.caughtUp(cluster, end, (await cluster.primary(signal)).currentLsn), limits)
    assert.equal(await count(), 200, 'the end has caught up by itself')

    await step('The primary dies, and the middle is promoted')
    await lab.crash(cluster, primary)
    const { timeline } = await lab.failover(cluster, primary, { to: middle, ...limits })
    await write(middle)
    await lab.waitUntil(lab.caughtUp(cluster, end, (await cluster.primary(signal)).currentLsn), limits)
    const status = await lab.waitUntil(lab.streaming(cluster, end, middle), limits)
    narrate.say(lab.describeStatus(status))
    assert.equal(status.timeline, timeline.after, 'the end has come along to the new timeline')
    assert.equal(await count(), 300)

    await step('How it ends', 'up brings every node back behind the primary.')
    await lab.up(cluster, limits)
    await cluster.query(middle, `DROP TABLE ${TABLE}`, { signal })
    lab.narrateStatus(narrate, await cluster.status(signal))
    return { version: 1, runtime: cluster.runtime.name, chain: [primary, middle, end], timeline }
  },
)
