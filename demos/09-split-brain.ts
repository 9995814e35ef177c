/**
 * Split brain: the old primary lives on, and acknowledges.
 * Question: what does a promotion without a fence do, and what is fencing for?
 * You will see: one seat sold twice, both sales acknowledged, one of them undone; then the same with a fence.
 * Run: pnpm run lesson split-brain [--step]
 */
import assert from 'node:assert/strict'
import * as lab from '../src/demo/index.ts'

const LIMIT = { timeoutMs: 60_000 }
const TABLE = 'public.split_brain'
const sale = (seat: number, to: string): string => `INSERT INTO ${TABLE} VALUES (${seat}, '${to}')`

export default lab.demo(
  {
    name: 'split-brain',
    title: 'Split brain: the old primary lives on, and acknowledges',
    question: 'What does a promotion without a fence do, and what is fencing for?',
    learnt:
      'A primary that its standbys cannot reach is not dead: it does not even know that anything happened, and goes on acknowledging to the clients that reach it. Whoever promotes a standby then has two primaries, and PostgreSQL has no way to merge them: one history is thrown away, with everything acknowledged on it. So first the old primary is made unable to acknowledge (its power, its disk, its network towards clients), and only then a standby is promoted. Synchronous commit helps as well: a primary without its standbys then acknowledges nothing.',
    summary: 'sell a seat twice on two primaries, then see what the fence is for',
    replication: 'asynchronous',
    options: {},
  },
  async ({ cluster, narrate, signal, step }) => {
    const limits = { ...LIMIT, signal }
    const all = await cluster.status(signal)
    const old = lab.primaryOf(all).name
    const chosen = lab.standbysOf(all)[0]?.name ?? ''
    await cluster.query(old, `CREATE TABLE IF NOT EXISTS ${TABLE} (seat int PRIMARY KEY, sold_to text)`, { signal })
    await cluster.query(old, `TRUNCATE ${TABLE}`, { signal })
    await lab.waitUntil(lab.caughtUp(cluster, chosen, (await cluster.primary(signal)).currentLsn), limits)

    await step(`The standbys cannot reach ${old} any more`, 'Its clients can. Nothing is wrong with it.', [
      `pnpm run psql ${old} -c "TABLE ${TABLE}"`,
    ])
    const isolation = await lab.isolate(cluster, old, limits)
    await using _isolation = isolation

    await step(`Somebody promotes ${chosen}, and fences nobody`, 'From there the old primary looks dead.', [
      'pnpm run status',
    ])
    await cluster.query(chosen, 'SELECT pg_promote()', { as: 'superuser', signal })

    await step('One seat, two clients', 'Each asks the primary that it can reach.')
    for (const [node, client] of [
      [old, 'Alice'],
      [chosen, 'Bob'],
    ] as const) {
      await cluster.query(node, sale(1, client), { signal })
      narrate.say(`${client} is told by ${node}: seat 1 is yours`)
    }
    const error = await cluster.primary(signal).catch((reason: unknown) => reason)
    assert.ok(lab.isLabError(error, 'SPLIT_BRAIN'), 'two nodes accept writes')
    narrate.say(`status: ${error.message}`)

    await step('The network is back', 'up keeps the newest timeline; the other history cannot be merged.')
    await isolation[Symbol.asyncDispose]()
    await lab.up(cluster, limits)
    const sold = await cluster.query<{ sold_to: string }>(chosen, `SELECT sold_to FROM ${TABLE} WHERE seat = 1`)
    narrate.rows(sold)
    narrate.loss(`Alice was told that seat 1 is hers, and it is ${sold[0]?.sold_to}'s`)
    assert.deepEqual(sold, [{ sold_to: 'Bob' }], 'the sale on the old primary is gone')

    await step('The same with a fence', 'The primary is isolated again; before the promotion its power is cut.')
    const second = (await cluster.primary(signal)).name
    await using _again = await lab.isolate(cluster, second, limits)
    await lab.crash(cluster, second)
    const { newPrimary } = await lab.failover(cluster, second, limits)
    const refusal = await cluster.query(second, sale(2, 'Alice'), { signal }).catch((reason: unknown) => reason)
    assert.ok(lab.isLabError(refusal, 'UNREACHABLE'), 'nobody acknowledges any more')
    narrate.say(`Alice is told: ${refusal.message}`)
    await cluster.query(newPrimary, sale(2, 'Bob'), { signal })
    narrate.say(`Bob is told by ${newPrimary}: seat 2 is yours. Nobody was promised it before.`)

    await step('How it ends')
    await _again[Symbol.asyncDispose]()
    await lab.up(cluster, limits)
    await cluster.query(newPrimary, `DROP TABLE ${TABLE}`, { signal })
    lab.narrateStatus(narrate, await cluster.status(signal))
    return { version: 1, runtime: cluster.runtime.name, seat1: { told: ['Alice', 'Bob'], kept: sold[0]?.sold_to } }
  },
)
