/**
 * Failover: the primary goes, and a standby takes over.
 * Question: how long can nobody write, and which acknowledged writes are gone?
 * You will see: a client's errors, a promotion, the others following, the old primary coming back as a standby.
 * Run: pnpm run failover [--fault crash|stop] [--to NODE] [--no-rejoin] [--rate N] [--trials N] [--report FILE]
 */
import assert from 'node:assert/strict'
import * as lab from '../src/demo/index.ts'

const LIMIT = { timeoutMs: 30_000 }

export default lab.demo(
  {
    name: 'failover',
    title: 'Failover: the primary goes, and a standby takes over',
    question: 'How long can nobody write, and which acknowledged writes are gone?',
    learnt:
      'A failover promotes whichever standby has received most, and what the old primary had acknowledged beyond that is gone. The old primary is fenced before the promotion, or two nodes would acknowledge writes. Some writes end without an answer: only a client with ids of its own can find out which of them are there.',
    summary: 'take the primary away under load, promote a standby, and see what was lost',
    options: {
      fault: lab.choiceOption('--fault <fault>', lab.failoverFaults, 'how the primary goes'),
      to: lab.textOption('--to <node>', 'which standby to promote (default: the one that received most)'),
      rejoin: lab.flagOption('--no-rejoin', 'leave the old primary down'),
      ...lab.trialOptions,
    },
  },
  async ({ cluster, narrate, signal, options, step }) => {
    const { fault, to, rate: ratePerSecond, connections } = options
    if (options.trials > 1 && (to !== undefined || !options.rejoin))
      throw new lab.LabError('USAGE', '--to and --no-rejoin are for one failover', { hint: 'Leave out --trials.' })
    await step('All three are well', 'One primary, and every other node streams from it.')
    await lab.waitUntil(lab.healthy(cluster), { ...LIMIT, signal })
    const before = await cluster.status(signal)
    lab.narrateStatus(narrate, before)
    if (to !== undefined) lab.requireStandby(before, cluster.node(to).name)
    const load = { ratePerSecond, connections, signal }

    if (options.trials > 1) {
      await step(`${options.trials} failovers, one after another`, 'Every node is brought back before each.')
      using _quiet = narrate.hush()
      const told = lab.trialNarrator(narrate)
      const runs = await lab.runTrials(cluster, { ...load, ...LIMIT, fault, trials: options.trials, ...told })
      const records = runs.map(({ record }) => record)
      await step('What they say together')
      const document = lab.summariseTrials(records, options.trials)
      lab.narrateTrials(narrate, document)
      await lab.keepEvidence(narrate, { document, runs, ...options })
      assert.equal(document.verdicts.inconsistent, 0, 'nothing is there twice, or was refused and is there')
      return document
    }

    await step(
      'A client writes all the while',
      `${ratePerSecond} writes a second over ${connections} connections, each its own transaction with its own id.`,
      ['pnpm run status --watch'],
    )
    await using trial = await lab.startTrial(cluster, load)
    const old = trial.oldPrimary.name
    await trial.writer.acknowledges(Math.min(100, ratePerSecond), LIMIT)
    narrate.say(`it has ${lab.formatCount(trial.writer.snapshot().writes.length)} answers from ${old}`)

    await step(`The primary goes: ${fault}`, lab.faultMeanings[fault])
    await trial.inflict(fault, signal)

    await step(
      'A standby is promoted',
      'First the old primary is fenced: it must not come back and accept writes beside the new one.',
    )
    const failover = await lab.failover(cluster, old, { to, ...LIMIT, signal })
    for (const { name, lsn, timeline } of failover.candidates)
      narrate.say(`${name} had received up to ${lab.formatLsn(lsn)} on timeline ${timeline}`)
    narrate.say(`${failover.newPrimary} is the primary, on timeline ${failover.timeline.after}`)
    assert.ok(failover.timeline.after > failover.timeline.before, 'a promotion starts a new timeline')

    await step('What the client was told meanwhile')
    await trial.writer.acknowledges(Math.min(50, ratePerSecond), LIMIT)
    lab.narrateErrors(narrate, trial.writer.snapshot())

    await step(
      'The others follow',
      'Each looks for the primary among all nodes (primary_conninfo with target_session_attrs=primary), so nobody has to tell them.',
      ['pnpm run psql standby -c "SELECT status, received_tli, sender_host, sender_port FROM pg_stat_wal_receiver"'],
    )
    for (const { name } of lab.standbysOf(before).filter(standby => standby.name !== failover.newPrimary)) {
      const [row] = await cluster.query<{ count: string }>(name, `SELECT count(*) FROM ${lab.WRITES_TABLE}`, { signal })
      narrate.say(`${name} went on answering reads: ${row?.count} rows`)
      const standby = await lab.waitUntil(lab.streaming(cluster, name, failover.newPrimary), { ...LIMIT, signal })
      narrate.say(lab.describeStatus(standby))
    }

    await step('What the client lost', 'Its own history, which no server holds, against what is in the new primary.')
    const result = await trial.finish(failover, signal)
    lab.narrateFailover(narrate, result.record)
    lab.narrateAcknowledgements(narrate, result)
    await lab.keepEvidence(narrate, { document: result.record, runs: [result], ...options })
    assert.notEqual(result.record.verdict, 'inconsistent', result.record.why)

    if (options.rejoin) {
      await step('The old primary comes back', 'As a standby: what it had that the new primary has not is undone.')
      const back = await lab.rejoin(cluster, old, { ...LIMIT, signal })
      narrate.say(`${old} is back by ${back.by}: ${back.why}`)
      await lab.waitUntil(lab.healthy(cluster), { ...LIMIT, signal })
    }

    await step('How it ends')
    lab.narrateStatus(narrate, await cluster.status(signal))
    return result.record
  },
)
