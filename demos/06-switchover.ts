/**
 * Switchover: the primary and a standby change places, as for an upgrade of the primary's machine.
 * Question: how long can nobody write, and is really nothing lost?
 * You will see: checks, a checkpoint, a clean shutdown, a promotion, the former primary following without pg_rewind.
 * Run: pnpm run switchover [--to NODE] [--rate N] [--trials N] [--through-router] [--report FILE]
 */
import assert from 'node:assert/strict'
import * as lab from '../src/demo/index.ts'

const LIMIT = { timeoutMs: 60_000 }
const NOTHING_FAILED = 'through the router, writes wait for a switchover, and none fails'

export default lab.demo(
  {
    name: 'switchover',
    title: 'Switchover: the primary and a standby change places',
    question: 'How long can nobody write, and is really nothing lost?',
    learnt:
      'A planned change of the primary loses nothing because the old one is shut down first, and its last record, the shutdown checkpoint, is seen replayed on the new one before it is promoted. For the same reason the old one needs no pg_rewind. The interruption is the shutdown and the promotion; a checkpoint beforehand keeps the first short.',
    summary: 'let the primary and a standby change places under load, and lose nothing',
    options: {
      to: lab.textOption('--to <node>', 'which standby is to be the primary (default: the one that has replayed most)'),
      throughRouter: lab.flagOption('--through-router', 'write through pg-failover-lab/router, which lets writes wait'),
      ...lab.trialOptions,
    },
  },
  async ({ cluster, narrate, signal, options, step }) => {
    const { to, rate: ratePerSecond, connections, trials } = options
    if (to !== undefined) cluster.node(to)
    await using way = options.throughRouter ? lab.throughRouter(cluster, { connections }) : undefined
    const load = { ratePerSecond, connections, way, signal }

    if (trials > 1) {
      if (to !== undefined)
        throw new lab.LabError('USAGE', '--to is for one switchover', { hint: 'Leave out --trials.' })
      await step(`${trials} switchovers, one after another`)
      using _quiet = narrate.hush()
      const told = lab.trialNarrator(narrate)
      const runs = await lab.runTrials(cluster, { ...load, ...LIMIT, fault: 'switchover', trials, ...told })
      await step('What they say together')
      const records = runs.map(({ record }) => record)
      const document = lab.summariseTrials(records, trials)
      lab.narrateTrials(narrate, document)
      await lab.keepEvidence(narrate, { document, runs, ...options })
      assert.equal(document.verdicts.inconsistent, 0, 'nothing is there twice, or was refused and is there')
      assert.equal(document.writes.lost, 0, 'a switchover loses nothing')
      if (way !== undefined) narrate.say(`no write waited longer than ${longestWait(runs)}`)
      if (way !== undefined) assert.equal(document.writes.failed + document.writes.indeterminate, 0, NOTHING_FAILED)
      return document
    }

    await step(
      'A client writes all the while',
      `${ratePerSecond} writes a second over ${connections} connections${way === undefined ? '' : ' of the router'}, each its own transaction with its own id.`,
      ['pnpm run status --watch'],
    )
    await using trial = await lab.startTrial(cluster, load)
    const old = trial.oldPrimary.name
    await trial.writer.acknowledges(Math.min(100, ratePerSecond), LIMIT)
    narrate.say(`it has ${lab.formatCount(trial.writer.snapshot().writes.length)} answers from ${old}`)

    await step(
      `${old} and a standby change places`,
      'Checks first, while nothing has changed. A checkpoint before the shutdown, so that the one in it has little to write.',
    )
    trial.begins('switchover')
    const done = await lab.switchedOver(cluster, { way, to, ...LIMIT, signal })
    narrate.say(`the last record of ${old} is its shutdown checkpoint at ${lab.formatLsn(done.shutdownLsn)}`)
    narrate.say(`${done.newPrimary} has replayed it, and is the primary on timeline ${done.timeline.after}`)
    narrate.say(`${old} follows it: its history ends where the new timeline begins, so there was nothing to rewind`)

    await step('What the client was told meanwhile')
    await trial.writer.acknowledges(Math.min(50, ratePerSecond), LIMIT)
    lab.narrateErrors(narrate, trial.writer.snapshot())

    await step('What the client lost', 'Its own history, which no server holds, against what is in the new primary.')
    const result = await trial.finish(done, signal)
    lab.narrateFailover(narrate, result.record)
    lab.narrateAcknowledgements(narrate, result)
    await lab.keepEvidence(narrate, { document: result.record, runs: [result], ...options })
    assert.notEqual(result.record.verdict, 'inconsistent', result.record.why)
    assert.equal(result.record.verdict, 'durable', 'a switchover loses nothing')
    const { failed, indeterminate } = result.record.writes
    if (way !== undefined) narrate.say(`no write waited longer than ${longestWait([result])}`)
    if (way !== undefined) assert.equal(failed + indeterminate, 0, NOTHING_FAILED)

    await step('How it ends', undefined, ['pnpm run status'])
    lab.narrateStatus(narrate, await cluster.status(signal))
    return result.record
  },
)

/** From when a write was due. */
const longestWait = (runs: readonly { readonly record: lab.FailoverRecord }[]): string =>
  lab.formatMs(Math.max(...runs.map(({ record }) => record.latencyMs?.max ?? 0)))
