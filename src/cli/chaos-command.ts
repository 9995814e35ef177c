/**
 * `chaos`: random faults and procedures against the cluster under load, and checks that nothing gives way.
 */
import { resolve } from 'node:path'
import { choice, count, text } from '../demo.ts'
import { standbysFor, synchronousWords } from '../postgres/synchronous.ts'
import { keepFailure, narrateSoak, roundNarrator, type ChaosDocument } from '../report/chaos.ts'
import { runSoak, type Soak } from '../workload/chaos/soak.ts'
import { command } from './command.ts'

export const chaosCommand = command({
  usage: 'chaos',
  summary: 'random faults and procedures under load, drawn from a seed; healed and checked after each',
  options: {
    minutes: count('--minutes <n>', { min: 1, max: 10_080 }, 'begin no round after so long (default: 5)'),
    rounds: count('--rounds <n>', { min: 1, max: 100_000 }, 'so many rounds, instead of minutes'),
    seed: count('--seed <n>', { min: 0, max: 2 ** 31 - 1, standard: 1 }, 'what everything is drawn from'),
    first: count('--first <n>', { min: 1, max: 100_000, standard: 1 }, 'begin with this round of the seed'),
    sync: choice('--sync <standbys>', synchronousWords, 'what a commit waits for'),
    rate: count('--rate <n>', { min: 10, max: 10_000, standard: 200 }, 'writes a second'),
    connections: count('--connections <n>', { min: 1, max: 50, standard: 4 }, 'connections that write'),
    keep: text('--keep <folder>', 'where to keep what a failed round leaves (default: ./chaos-<seed>)'),
  },
  run: async ({ openLab, options, narrate, interrupt: { signal } }) => {
    const { seed, first, rounds, sync, keep = `chaos-${seed}` } = options
    const minutes = rounds === undefined ? (options.minutes ?? 5) : (options.minutes ?? null)
    const load = { ratePerSecond: options.rate, connections: options.connections }
    const { cluster } = await openLab({ mayPull: true })
    using _quiet = narrate.hush()
    const soak: Soak = await runSoak(cluster, {
      ...{ seed, firstRound: first, rounds, load, signal },
      forMs: minutes === null ? undefined : minutes * 60_000,
      sync: standbysFor(sync),
      onRound: roundNarrator(narrate),
    })
    const { verdict, failed } = soak
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
    if (verdict !== 'held') process.exitCode = 1
    return document
  },
})
