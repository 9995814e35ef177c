/**
 * `chaos --stack patroni`: a soak of the cluster as Patroni manages it.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Cluster } from '../cluster/cluster.ts'
import { LabError, messageOf } from '../errors.ts'
import { historyLines } from '../history/lines.ts'
import type { SynchronousWord } from '../postgres/synchronous.ts'
import { roundNarrator } from '../report/chaos.ts'
import { toJson } from '../report/json.ts'
import { narrateStackSoak, narrateStackTerms, type StackChaosDocument } from '../report/stack-chaos.ts'
import { borrowStack, type Borrowed } from '../stack/chaos/borrow.ts'
import { SOAK_TIMERS } from '../stack/chaos/plan.ts'
import { runStackSoak, type FailedStackRound } from '../stack/chaos/soak.ts'
import { readStack, runCompose, type PatroniStack } from '../stack/stack.ts'
import type { CommandContext } from './command.ts'

export interface StackChaosOptions {
  readonly seed: number
  readonly first: number
  readonly rounds: number | undefined
  /** Null when rounds were asked for. */
  readonly minutes: number | null
  readonly sync: SynchronousWord
  readonly load: StackChaosDocument['load']
  readonly keep: string
}

/** @throws LabError USAGE for what makes no sense with the stack, and those of the soak */
export async function stackChaos(
  { openLab, narrate, interrupt: { signal } }: Pick<CommandContext, 'openLab' | 'narrate' | 'interrupt'>,
  options: StackChaosOptions,
): Promise<object> {
  const { seed, first, minutes, load } = options
  if (options.sync !== 'off') {
    throw new LabError('USAGE', '--sync is of the lab, and Patroni decides itself what a commit waits for', {
      hint: 'Leave out --sync: the soak of the stack is asynchronous.',
    })
  }
  const { cluster } = await openLab({ mayPull: true, managed: 'allowed' })
  const described = await readStack(cluster)
  using _quiet = narrate.hush()
  const borrowed = await borrowStack(cluster, described, { signal })
  try {
    const asked = { seed, minutes, timers: SOAK_TIMERS, load }
    narrateStackTerms(narrate, asked)
    const soak = await runStackSoak(cluster, borrowed.stack, {
      ...{ seed, firstRound: first, rounds: options.rounds, load, signal },
      forMs: minutes === null ? undefined : minutes * 60_000,
      onRound: roundNarrator(narrate),
      onFailed: async failed => {
        await keepRound(borrowed.stack, resolve(options.keep), failed).catch((error: unknown) =>
          narrate.failAtEnd(error),
        )
      },
    })
    const document: StackChaosDocument = {
      ...{ version: 1, stack: 'patroni', runtime: cluster.runtime.name, ...asked, ...soak },
    }
    narrateStackSoak(narrate, document)
    await tellFailed(narrate, document, options)
    if (soak.verdict !== 'held') process.exitCode = 1
    narrate.keep(document)
    return document
  } finally {
    await giveBack(cluster, borrowed, narrate)
  }
}

async function tellFailed(
  narrate: CommandContext['narrate'],
  document: StackChaosDocument,
  { keep, seed }: Pick<StackChaosOptions, 'keep' | 'seed'>,
): Promise<void> {
  const failed = document.rounds.filter(({ verdict }) => verdict === 'failed')
  if (failed.length === 0) return
  const folder = resolve(keep)
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'soak.json'), `${toJson(document)}\n`)
  narrate.say(`kept           ${folder}: of each round that failed, its plan, the histories, the logs`)
  narrate.say(`The same ${failed.length === 1 ? 'plan' : 'plans'} again:`)
  for (const { round } of failed)
    narrate.say(`pnpm run chaos --stack patroni --seed ${seed} --first ${round} --rounds 1`)
}

async function giveBack(cluster: Cluster, borrowed: Borrowed, narrate: CommandContext['narrate']): Promise<void> {
  const { how } = borrowed
  cluster.emit({
    kind: 'progress',
    text: how === 'continued' ? 'giving the stack its timers back' : 'giving the cluster back',
  })
  await borrowed[Symbol.asyncDispose]()
  narrate.say(
    how === 'continued' ? 'Patroni manages it as before, with its own timers.' : 'The lab has its cluster back.',
  )
}

/** Lines of each container's log that are kept: since the round began, but no more. */
const LOG_LINES = 20_000
const LOG_TIMEOUT_MS = 60_000

/** A folder for each round, in that of the soak. */
async function keepRound(stack: PatroniStack, keep: string, failed: FailedStackRound): Promise<void> {
  const { round, evidence, error, histories, startedAt } = failed
  const folder = join(keep, `round-${round.round}`)
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'failed-round.json'), `${toJson({ round, startedAt, evidence, error })}\n`)
  for (const { way, history } of histories)
    await writeFile(join(folder, `${way}.jsonl`), [...historyLines(history)].map(line => `${line}\n`).join(''))
  for (const service of [...stack.rest.keys(), 'haproxy', 'pgbouncer', ...stack.etcd]) {
    const args = [
      'logs',
      '--no-color',
      '--no-log-prefix',
      '--timestamps',
      '--since',
      startedAt,
      '--tail',
      `${LOG_LINES}`,
    ]
    const log = await runCompose(stack, ['logs', ...args.slice(1), service], { timeoutMs: LOG_TIMEOUT_MS }).then(
      ({ stdout }) => stdout,
      (why: unknown) => `no log: ${messageOf(why)}\n`,
    )
    await writeFile(join(folder, `${service}.log`), log)
  }
}
