/**
 * The hole in synchronous commit: a wait that is cancelled says success.
 * Question: can an acknowledged write be lost although every commit waits for a standby?
 * You will see: a COMMIT that waits, its wait cancelled, the answer COMMIT with a warning, and the row gone after a failover.
 * Run: pnpm run lesson cancelled-wait [--step]
 */
import assert from 'node:assert/strict'
import * as lab from '../src/demo/index.ts'

const LIMIT = { timeoutMs: 30_000 }
const TABLE = 'public.cancelled_wait'
const WAITS = {
  what: 'a commit to wait for a standby',
  text: "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name = 'client'",
}

export default lab.demo(
  {
    name: 'cancelled-wait',
    title: 'The hole in synchronous commit: a cancelled wait says success',
    question: 'Can an acknowledged write be lost although every commit waits for a standby?',
    learnt:
      'By the time a commit waits for a standby it is done on the primary, and cannot be undone. So when the wait is cancelled (a statement timeout does not do it, but pg_cancel_backend, a client that gives up, or an administrator do), PostgreSQL answers COMMIT, and adds a warning: the transaction has already committed locally, but might not have been replicated. Drivers drop warnings. A client that must know listens for SQLSTATE 01000 on a commit, or never cancels one.',
    summary: 'cancel the wait of a synchronous commit, and lose the row that was acknowledged',
    options: {},
  },
  async ({ cluster, narrate, signal, step }) => {
    await step('Every commit waits for a standby', 'Any one of the two: ANY 1 (…).', ['pnpm run sync'])
    await using _quorum = await lab.temporarySynchronous(
      cluster,
      { standbys: 'quorum', synchronousCommit: 'on' },
      { ...LIMIT, signal },
    )
    const old = await cluster.primary(signal)
    await cluster.query(old.name, `CREATE TABLE IF NOT EXISTS ${TABLE} (id uuid PRIMARY KEY, note text)`, { signal })
    const standbys = lab.standbysOf(await cluster.status(signal)).map(({ name }) => name)

    await step('Both standbys stop receiving', 'As when the network between the sites is gone.', [
      `pnpm run psql primary -c "INSERT INTO ${TABLE} VALUES (gen_random_uuid(), 'by hand')"   (it waits; Ctrl-C cancels it)`,
    ])
    await using cut = await lab.cutFromWal(cluster, standbys, { ...LIMIT, signal })

    await step('An INSERT waits for its standby', 'It is committed on the primary, and nobody else has it.')
    await using client = await cluster.connect(old.name, { signal, applicationName: 'client' })
    const warnings: string[] = []
    client.onNotice(({ code, message }) => warnings.push(`${code}: ${message}`))
    const insert = `INSERT INTO ${TABLE} VALUES (gen_random_uuid(), 'acknowledged') RETURNING id`
    narrate.event({ kind: 'sql', node: old.name, text: insert })
    const answer = client.query<{ id: string }>(insert)
    const { pid: waiting } = await lab.waitUntil(lab.returnsRow<{ pid: number }>(cluster, old.name, WAITS), {
      ...LIMIT,
      signal,
    })
    narrate.say(`process ${waiting} waits: wait_event SyncRep`)

    await step('Somebody cancels it', 'An impatient administrator, or a driver whose query timeout has passed.')
    await cluster.query(old.name, `SELECT pg_cancel_backend(${waiting})`, { as: 'superuser', signal })
    const [row] = await answer
    narrate.say(`the client is told: INSERT 0 1, id ${row?.id}`)
    narrate.say(`and beside it      WARNING ${warnings.join('; ')}`)
    assert.ok(row !== undefined, 'the client is told success')
    assert.match(warnings.join(), /^01000: canceling wait for synchronous replication/, 'and a warning')

    await step('The primary crashes, and a standby is promoted')
    await lab.crash(cluster, old.name)
    await cut[Symbol.asyncDispose]()
    const { newPrimary } = await lab.failover(cluster, old.name, { ...LIMIT, signal })

    await step('The row that was acknowledged', undefined, [`pnpm run psql primary -c "TABLE ${TABLE}"`])
    const found = await cluster.query(newPrimary, `SELECT id FROM ${TABLE} WHERE id = '${row.id}'`, { signal })
    narrate.rows(found)
    narrate.loss(`${row.id} was acknowledged, and is gone`)
    assert.deepEqual(found, [], 'the acknowledged row is lost')

    await step('How it ends')
    await lab.up(cluster, { timeoutMs: 60_000, signal })
    await cluster.query((await cluster.primary(signal)).name, `DROP TABLE ${TABLE}`, { signal })
    lab.narrateStatus(narrate, await cluster.status(signal))
    return { version: 1, runtime: cluster.runtime.name, acknowledgedId: row.id, warnings, isLost: found.length === 0 }
  },
)
