/**
 * Durability: what synchronous commit costs, and what it promises.
 * Question: which settings lose acknowledged writes when the primary dies, and what does a commit wait for the others?
 * You will see: for each setting a client at work, both standbys cut from WAL for a moment, and the primary crashed.
 * Run: pnpm run durability [--trials N] [--synchronous-commit on,local] [--standbys one] [--report FILE]
 */
import assert from 'node:assert/strict'
import * as lab from '../src/demo/index.ts'

export default lab.demo(
  {
    name: 'durability',
    title: 'Durability: the price and the promise of synchronous commit',
    question:
      'Which settings lose acknowledged writes when the primary dies, and what does a commit wait for the others?',
    learnt:
      'An acknowledged write survives the primary only when a commit waits for a standby: synchronous_standby_names must name one, and synchronous_commit must be remote_write or more. Either alone promises nothing. The price is a round trip for each commit, and that writes wait when no standby is left: then bring one back (pnpm run up), or give up the promise (pnpm run sync off).',
    summary: 'crash the primary under each synchronous_commit, and see what is lost and what a commit costs',
    options: {
      synchronousCommit: lab.listOption('--synchronous-commit <values>', lab.synchronousCommits, 'which to try'),
      standbys: lab.listOption('--standbys <kinds>', lab.synchronousStandbys, 'which synchronous standbys'),
      trials: lab.countOption('--trials <n>', { min: 1, max: 100, standard: 1 }, 'crashes a setting'),
      rate: lab.countOption('--rate <n>', { min: 10, max: 10_000, standard: 500 }, 'writes a second'),
      connections: lab.countOption('--connections <n>', { min: 1, max: 50, standard: 4 }, 'connections that write'),
      cut: lab.countOption(
        '--cut <ms>',
        { min: 50, max: 10_000, standard: 200 },
        'cut the standbys off for so long before',
      ),
      report: lab.fileOption('--report <file>', 'write a page with plots, HTML in one file'),
    },
  },
  async ({ cluster, narrate, signal, options, step }) => {
    const settings = options.standbys.flatMap(standbys =>
      options.synchronousCommit.map(synchronousCommit => ({ standbys, synchronousCommit })),
    )
    await step(
      'Every setting gets the same fault',
      `Both standbys are cut from WAL for ${options.cut} ms while a client writes, then the primary crashes, and a standby is promoted.`,
    )
    narrate.say(
      `${settings.length} settings, ${options.trials} each; a promise is kept when nothing acknowledged is lost`,
    )
    using _quiet = narrate.hush()
    const document = await lab.runDurability(cluster, {
      ...{ settings, trials: options.trials, cutMs: options.cut, timeoutMs: 30_000, signal },
      ...{ ratePerSecond: options.rate, connections: options.connections },
      onCell: lab.cellNarrator(narrate),
    })

    await step('Price and promise, side by side', undefined, ['pnpm run sync one', 'pnpm run sync off'])
    lab.narrateDurability(narrate, document)
    await lab.keepReport(narrate, { file: options.report, document }, lab.durabilityReport)
    for (const { synchronousCommit, standbys, promised, lost, unexpected, duplicates } of document.cells) {
      const setting = `synchronous_commit = ${synchronousCommit}, standbys ${standbys}`
      assert.equal(unexpected + duplicates, 0, `${setting}: nothing is there twice, or was refused and is there`)
      // The positive control: what cannot see these losses could not see any.
      if (promised) assert.equal(lost, 0, `${setting}: nothing acknowledged may be lost`)
      else assert.ok(lost > 0, `${setting}: acknowledged writes must be lost, and found`)
    }
    narrate.say('')
    if (lab.isWhole(document))
      narrate.say('Every promise was kept; without one, writes were lost each time, and were found.')
    return document
  },
)
