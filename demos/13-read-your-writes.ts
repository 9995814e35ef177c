/**
 * Read your writes: a write is acknowledged by the primary, and the read after it goes to a standby.
 * Question: why can I not see what I just wrote?
 * You will see: a row that is not there yet, five ways to read it all the same, and what each costs; a token of a lost write.
 * Run: pnpm run lesson read-your-writes [--step]
 */
import assert from 'node:assert/strict'
import * as lab from '../src/demo/index.ts'

const LIMIT = { timeoutMs: 60_000 }
const REQUESTS = 200
const TABLE = 'public.notes'
const INSERT = `INSERT INTO ${TABLE} VALUES ($1)`
const SELECT = `SELECT text FROM ${TABLE} WHERE text = $1`

export default lab.demo(
  {
    name: 'read-your-writes',
    title: 'Read your writes: the row that is not there yet',
    question: 'Why can I not see what I just wrote?',
    learnt:
      'A commit is acknowledged when the primary has it, and a standby shows it when it has replayed it. Who reads there at once may not see it, and who waits a fixed time waits too long nearly always and too short when it matters. Reading on the primary is right and takes away what standbys are for. remote_apply on every standby is right, and each write pays for the slowest of them. A token, the position of the commit in the WAL together with its timeline, is right for the one who wrote: the read goes to a standby that has it, waits a little, or goes to the primary. After a failover it says that the write is lost, where an LSN alone would be found by chance.',
    summary: 'why a read on a standby misses what was just written, and what five remedies cost',
    replication: 'asynchronous',
    options: {},
  },
  async ({ cluster, narrate, signal, step }) => {
    const limits = { ...LIMIT, signal }
    const primary = await cluster.primary(signal)
    await using through = lab.throughRouter(cluster)
    const { router, nodeAt } = through
    await cluster.query(primary.name, `DROP TABLE IF EXISTS ${TABLE}`, { as: 'superuser', signal })
    await cluster.query(primary.name, `CREATE TABLE ${TABLE} (text text)`, { signal })
    await lab.waitForCatchUp(cluster, limits)

    await step('A write on the primary, and a read on a standby', 'Replay is held on both, so that a moment lasts.', [
      `pnpm run psql standby -c "SELECT * FROM ${TABLE}"`,
    ])
    const standbys = (await cluster.status(signal)).filter(({ role }) => role === 'standby').map(({ name }) => name)
    const holds = await Promise.all(standbys.map(name => lab.pauseReplay(cluster, name, limits)))
    const { token, node } = await router.write(INSERT, ['mine'])
    narrate.say(`acknowledged by ${nodeAt(node)}; token ${token}`)
    const atOnce = await router.read(SELECT, ['mine'])
    narrate.say(`${nodeAt(atOnce.node)}, a ${atOnce.role}, has ${atOnce.rowCount} rows of it`)
    assert.equal(atOnce.rowCount, 0, 'a standby shows what it has replayed')
    const mine = await router.read(SELECT, ['mine'], { after: token })
    narrate.say(`with the token: ${nodeAt(mine.node)}, a ${mine.role}, has ${mine.rowCount} row`)
    assert.deepEqual([mine.rowCount, mine.role], [1, 'primary'], 'nobody else has it yet')
    for (const hold of holds) await hold[Symbol.asyncDispose]()

    await step('Five ways, under a burst', `${REQUESTS} writes of each, a read after each, 4 at once.`)
    const document = await lab.runReadYourWrites(cluster, { requests: REQUESTS, ...limits })
    lab.narrateReadYourWrites(narrate, document)
    for (const { way, stale } of document.ways)
      if (way !== 'any-standby' && way !== 'fixed-delay') assert.equal(stale, 0, `${way} reads its own writes`)

    await step('A token of a write that is lost', 'The standbys are cut off, the primary acknowledges, and crashes.')
    const cut = await lab.cutFromWal(cluster, standbys, limits)
    const { token: lost } = await router.write(INSERT, ['lost'])
    await lab.crash(cluster, primary.name)
    await cut[Symbol.asyncDispose]()
    await lab.failover(cluster, primary.name, limits)
    const answer = await router.read(SELECT, ['lost'], { after: lost }).catch((error: unknown) => error)
    narrate.say(`${lab.codeOf(answer)}: ${lab.messageOf(answer)}`)
    assert.equal(lab.codeOf(answer), 'WRITE_LOST', 'its position is past the fork')

    await step('How it ends', undefined, ['pnpm run status'])
    const after = await lab.up(cluster, limits)
    await cluster.query(after.name, `DROP TABLE ${TABLE}`, { as: 'superuser', signal })
    lab.narrateStatus(narrate, await cluster.status(signal))
    return { ...document, stale: { rows: atOnce.rowCount }, lost: { code: 'WRITE_LOST' } }
  },
)
