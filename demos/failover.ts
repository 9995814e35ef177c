/**
 * Failover: the primary goes, and a standby takes over.
 * Question: how long can nobody write, and which acknowledged writes are gone?
 * You will see: a client's errors, a promotion, the others following, the old primary coming back as a standby.
 * Run: pnpm run failover [--fault crash|stop] [--to NODE] [--no-rejoin]
 */
import assert from 'node:assert/strict'
import * as lab from '../src/index.ts'

const LIMIT = { timeoutMs: 30_000 }

export default lab.demo(
  {
    name: 'failover',
    title: 'Failover: the primary goes, and a standby takes over',
    summary: 'take the primary away under load, promote a standby, and see what was lost',
    options: {
      fault: lab.choice('--fault <fault>', lab.failoverFaults, 'how the primary goes'),
      to: lab.text('--to <node>', 'which standby to promote (default: the one that received most)'),
      rejoin: lab.flag('--no-rejoin', 'leave the old primary down'),
      rate: lab.count('--rate <n>', { min: 1, max: 10_000, standard: 200 }, 'writes a second'),
      connections: lab.count('--connections <n>', { min: 1, max: 50, standard: 4 }, 'connections that write'),
    },
  },
  async ({ cluster, narrate, signal, options }) => {
    narrate.step('All three are well', 'One primary, and every other node streams from it.')
    const old = await lab.waitUntil(lab.healthy(cluster), { ...LIMIT, signal })
    const before = await cluster.status(signal)
    lab.narrateStatus(narrate, before)
    if (options.to !== undefined) lab.requireStandby(before, cluster.node(options.to).name)

    narrate.step(
      'A client writes all the while',
      `${options.rate} writes a second over ${options.connections} connections, each its own transaction with its own id.`,
    )
    await using writer = await lab.startWriter(cluster, {
      ratePerSecond: options.rate,
      connections: options.connections,
      signal,
    })
    await writer.acknowledges(Math.min(100, options.rate), LIMIT)
    narrate.say(`it has ${lab.formatCount(writer.snapshot().writes.length)} answers from ${old.name}`)

    narrate.step(`The primary goes: ${options.fault}`, lab.faultMeanings[options.fault])
    await lab.inflict(cluster, old.name, { fault: options.fault, signal })

    narrate.step(
      'A standby is promoted',
      'First the old primary is fenced: it must not come back and accept writes beside the new one.',
    )
    const failover = await lab.failover(cluster, old.name, { to: options.to, ...LIMIT, signal })
    for (const { name, lsn, timeline } of failover.candidates)
      narrate.say(`${name} had received up to ${lab.formatLsn(lsn)} on timeline ${timeline}`)
    narrate.say(`${failover.newPrimary} is the primary, on timeline ${failover.timeline.after}`)
    assert.equal(failover.timeline.after, failover.timeline.before + 1, 'a promotion starts a new timeline')

    narrate.step('What the client was told meanwhile')
    await writer.acknowledges(Math.min(50, options.rate), LIMIT)
    const errors = Object.entries(lab.errorsByCode(writer.snapshot()))
    narrate.table(
      ['code', 'times', 'what it means for a write that was sent'],
      errors.map(([code, times]) => [code, times, lab.ruleFor(code).why]),
    )
    const replicas = cluster.nodes
      .map(({ name }) => name)
      .filter(name => name !== old.name && name !== failover.newPrimary)
    for (const replica of replicas) {
      const [row] = await cluster.query<{ count: string }>(replica, `SELECT count(*) FROM ${lab.WRITES_TABLE}`, {
        signal,
      })
      narrate.say(`${replica} went on answering reads: ${row?.count} rows`)
    }

    narrate.step(
      'The others follow',
      'Each looks for the primary among all nodes (primary_conninfo with target_session_attrs=primary), so nobody has to tell them.',
    )
    for (const replica of replicas) {
      const standby = await lab.waitUntil(lab.streaming(cluster, replica, failover.newPrimary), { ...LIMIT, signal })
      narrate.say(lab.describe(standby))
    }

    narrate.step('What the client lost', 'Its own history, which no server holds, against what is in the new primary.')
    const history = await writer.stop()
    const record = lab.failoverRecord({
      ...{ failover, history, survivors: await lab.readSurvivors(cluster, history.run, signal), fault: options.fault },
      ...{
        runtime: cluster.runtime.name,
        postgresVersion: old.serverVersion,
        synchronousCommit: old.synchronousCommit,
      },
    })
    lab.narrateFailover(narrate, record)
    assert.equal(record.writes.unexpected, 0, 'nothing is there that was refused or never sent')

    if (options.rejoin) {
      narrate.step('The old primary comes back', 'As a standby: what it had that the new primary has not is undone.')
      const back = await lab.rejoin(cluster, old.name, { ...LIMIT, signal })
      narrate.say(`${old.name} is back by ${back.by}: ${back.why}`)
      await lab.waitUntil(lab.healthy(cluster), { ...LIMIT, signal })
    }

    narrate.step('How it ends')
    lab.narrateStatus(narrate, await cluster.status(signal))
    return record
  },
)
