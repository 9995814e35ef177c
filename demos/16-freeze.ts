/**
 * Freeze and thaw: a primary that wakes up late.
 * Question: can a primary that was away for some seconds do any harm when it comes back?
 * You will see: clients that stayed connected, acknowledged by a primary that is none any more; what helps, and what does not.
 * Run: pnpm run lesson freeze [--step]
 */
import assert from 'node:assert/strict'
import * as lab from '../src/demo/index.ts'

const LIMIT = { timeoutMs: 60_000 }
const LOAD = { ratePerSecond: 50, connections: 4 }
const PATIENT = { ...LOAD, writeTimeoutMs: 30_000 }
const IMPATIENT = { ...LOAD, writeTimeoutMs: 500, connectTimeoutMs: 500 }
const OPEN = `INSERT INTO ${lab.WRITES_TABLE} (run, id) VALUES (gen_random_uuid(), 0) RETURNING run`
const SAID = {
  'quorum-stays': 'a commit waits for a standby, and one has stayed with it',
  'quorum-follows': 'a commit waits for a standby, and both follow the new primary',
  fenced: 'its power is cut before the promotion',
}
const DONE = `SELECT id FROM ${lab.WRITES_TABLE} WHERE run = $1`

export default lab.demo(
  {
    name: 'freeze',
    title: 'Freeze and thaw: a primary that wakes up late',
    question: 'Can a primary that was away for some seconds do any harm when it comes back?',
    learnt:
      'A process that stands still (a virtual machine that is paused or moved, a host that swaps) sees no time pass. Between two of its instructions somebody else may have become the primary, so to look before one writes does not help: a transaction that had looked went on where it was. Connections that were open still are, and what was sent over them meanwhile is done, also for clients that have given it up. So whoever promotes first makes sure that the old primary cannot go on: cut its power, or its clients from it. A lease does so only if something other than the frozen process ends it: a watchdog resets the machine when nobody has fed it, and has to do that before the lease is over. With a quorum a woken primary commits, and tells nobody, provided that the standbys follow the new one by then.',
    summary: 'a primary stands still, is replaced, and wakes up: what it acknowledges then is lost',
    replication: 'asynchronous',
    options: {},
  },
  async ({ cluster, narrate, signal, step }) => {
    const limits = { ...LIMIT, signal }
    const old = (await cluster.primary(signal)).name
    const judge = async (writer: lab.Writer): Promise<lab.Findings> => {
      const history = await writer.stop()
      return lab.checkHistory(history, await lab.readSurvivors(cluster, history.run, signal), { faultHappened: true })
    }

    await step(`${old} stands still`, 'Of two clients one gives up after 500 ms, one waits. A transaction is open.')
    await using patient = await lab.startWriter(cluster, { ...PATIENT, signal })
    await using impatient = await lab.startWriter(cluster, { ...IMPATIENT, signal })
    for (const writer of [patient, impatient]) await writer.acknowledges(20, LIMIT)
    await using transaction = await cluster.connect(old, { signal })
    await transaction.query('BEGIN')
    const [row] = await transaction.query<{ run: string }>(OPEN)
    const [looked] = await transaction.query<{ is_primary: boolean }>('SELECT NOT pg_is_in_recovery() AS is_primary')
    assert.equal(looked?.is_primary, true)
    narrate.say(`the transaction has inserted a row, and has looked: ${old} is the primary`)
    await using healed = lab.healedAtEnd(cluster, LIMIT)
    await using frozen = await lab.freeze(cluster, old)
    const frozenAt = performance.now()

    await step('A standby is promoted', `${old} looks dead, and nobody fences it. The other standby follows.`)
    const told = { others: 'follow', ...limits } as const
    const { newPrimary, timeline, promotedAt } = await lab.promoteUnfenced(cluster, old, told)
    await impatient.acknowledges(50, LIMIT)
    narrate.say(`${newPrimary} is the primary, on timeline ${timeline.after}; the client that gave up writes there`)

    await step(`${old} wakes up`, 'It goes on where it was.', ['pnpm run status'])
    const stoodStillMs = performance.now() - frozenAt
    await frozen[Symbol.asyncDispose]()
    await transaction.query('COMMIT')
    await patient.acknowledges(100, LIMIT)
    const woken = (): readonly number[] => lab.acknowledgedBy(patient.snapshot(), { node: old, since: promotedAt })
    narrate.say(`the open transaction commits ${lab.formatMs(stoodStillMs)} later, and is acknowledged`)
    narrate.say(`the client that waited is still connected: ${woken().length} writes of it acknowledged by ${old}`)
    const givenUp = impatient.snapshot().writes.filter(({ outcome }) => outcome.kind === 'indeterminate')
    const there = await cluster.query<{ id: number }>(old, DONE, { values: [impatient.run], signal })
    const late = givenUp.filter(({ id }) => there.some(done => done.id === id)).length
    narrate.say(`of ${givenUp.length} writes that the other client had given up, ${late} are done now`)

    await step('How it is found', 'Each of them is well. Only who asks both sees two timelines.')
    for (const name of [old, newPrimary]) narrate.say(lab.describeStatus(await cluster.nodeStatus(name, signal)))
    const error = await cluster.primary(signal).catch((reason: unknown) => reason)
    assert.ok(lab.isLabError(error, 'SPLIT_BRAIN'), 'two nodes accept writes')
    narrate.say(`status: ${error.message}`)

    await step('What is left of it', 'up keeps the newest timeline, and sets aside what only the other has.')
    await healed[Symbol.asyncDispose]()
    const findings = { 'that waited': await judge(patient), 'that gave up': await judge(impatient) }
    narrate.table(
      ['the client', 'acknowledged', 'lost', 'indeterminate', 'of those there'],
      Object.entries(findings).map(([who, { acknowledged, lostIds, indeterminate, recoveredIds }]) => [
        ...[who, acknowledged, lostIds.length, indeterminate, recoveredIds.length],
      ]),
    )
    const [ids, gone] = [woken(), findings['that waited'].lostIds]
    const lost = ids.filter(id => gone.includes(id)).length
    narrate.loss(`of ${ids.length} writes that ${old} acknowledged after the promotion ${lost} are lost`)
    // What was committed and sent, and not yet answered when it stood still, is there.
    assert.ok(lost > 0 && ids.length - lost <= LOAD.connections, 'what a woken primary acknowledges is lost')
    assert.ok(late > 0, 'what was sent to a frozen server is done when it wakes up')
    const committed = await cluster.query(newPrimary, DONE, { values: [row?.run ?? ''], signal })
    assert.deepEqual(committed, [], 'the transaction that had looked is lost too')

    await step('What helps', 'The same three times more, each with a precaution. The client is the one that waits.')
    const rounds: lab.Woken[] = []
    const quiet = narrate.hush()
    for (const how of lab.precautions) rounds.push(await lab.wakeUp(cluster, how, limits))
    quiet[Symbol.dispose]()
    narrate.table(
      ['precaution', 'acknowledged by it', 'lost'],
      rounds.map(round => [SAID[round.precaution], round.acknowledged, round.lost]),
    )
    const [stays, follows, fenced] = rounds
    assert.ok((stays?.lost ?? 0) > 0, 'a woken primary and a standby that has stayed with it are a quorum')
    assert.equal(follows?.lost, 0, 'what no standby has is acknowledged to nobody')
    assert.equal(fenced?.acknowledged, 0, 'who has no power acknowledges nothing')

    await step('How it ends')
    lab.narrateStatus(narrate, await cluster.status(signal))
    const wokenUp = { stoodStillMs, acknowledged: ids.length, lost, late }
    return { version: 1, runtime: cluster.runtime.name, timeline, wokenUp, rounds }
  },
)
