/**
 * `chaos`: random faults and procedures against the cluster under load, and checks that nothing gives way.
 */
import { resolve } from 'node:path'
import { choiceOfWord, choiceOption, countOption, textOption } from '../options/options.ts'
import { standbysFor, synchronousWords } from '../postgres/synchronous.ts'
import { narrateSoak, roundNarrator, type ChaosDocument } from '../report/chaos.ts'
import { runSoak, type Soak } from '../experiments/chaos/soak.ts'
import { command } from './command.ts'
import { keepFailure } from './keep-failure.ts'
import { stackChaos } from './stack-chaos.ts'

export const chaosCommand = command({
  usage: 'chaos',
  examples: ['chaos --seed 7 --rounds 10', 'chaos --stack patroni --minutes 30'],
  summary: 'random faults and procedures under load, drawn from a seed; healed and checked after each',
  options: {
    minutes: countOption('--minutes <n>', { min: 1, max: 10_080 }, 'begin no round after so long (default: 5)'),
    rounds: countOption('--rounds <n>', { min: 1, max: 100_000 }, 'so many rounds, instead of minutes'),
    seed: countOption('--seed <n>', { min: 0, max: 2 ** 31 - 1, standard: 1 }, 'what everything is drawn from'),
    first: countOption('--first <n>', { min: 1, max: 100_000, standard: 1 }, 'begin with this round of the seed'),
    sync: choiceOption('--sync <standbys>', synchronousWords, 'what a commit waits for'),
    rate: countOption('--rate <n>', { min: 10, max: 10_000, standard: 200 }, 'writes a second'),
    connections: countOption('--connections <n>', { min: 1, max: 50, standard: 4 }, 'connections that write'),
    stack: textOption('--stack <patroni>', 'the cluster as Patroni manages it, over every way to the primary'),
    keep: textOption('--keep <folder>', 'where to keep what a failed round leaves (default: ./chaos-<seed>)'),
  },
  run: async context => {
    const { openLab, options, narrate, interrupt } = context
    const { signal } = interrupt
    const { seed, first, rounds, sync, keep = `chaos-${seed}` } = options
    const minutes = rounds === undefined ? (options.minutes ?? 5) : (options.minutes ?? null)
    const load = { ratePerSecond: options.rate, connections: options.connections }
    if (options.stack !== undefined) {
      choiceOfWord('--stack', ['patroni'], options.stack)
      return await stackChaos(context, { seed, first, rounds, minutes, sync, load, keep })
    }
    const { cluster } = await openLab({ mayPull: true })
    using _quiet = narrate.hush()
    const soak: Soak = await runSoak(cluster, {
      ...{ seed, firstRound: first, rounds, load, signal },
      forMs: minutes === null ? undefined : minutes * 60_000,
      sync: standbysFor(sync),
      onRound: roundNarrator(narrate),
    })
    const { verdict, failed, lacks } = soak
    const { name: runtime } = cluster.runtime
    const document: ChaosDocument = { version: 1, runtime, seed, minutes, sync, load, rounds: soak.rounds, verdict }
    narrateSoak(narrate, document)
    if (failed !== undefined) {
      const folder = resolve(keep)
      await keepFailure(cluster, folder, { document, failed })
      narrate.say(`kept           ${folder}: the plan, the histories, the servers' logs`)
      narrate.say('The cluster is as the round has left it. The same plan again:')
      narrate.say(`pnpm run chaos --seed ${seed} --first ${failed.round.round} --rounds 1 --sync ${sync}`)
    }
    if (lacks !== undefined) narrate.failAtEnd(lacks)
    if (verdict !== 'held') process.exitCode = 1
    return document
  },
})
