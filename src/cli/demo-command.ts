/**
 * A demo as a command: brings the cluster up, runs the demo, leaves the cluster up, and says what to try next.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { readSynchronous, temporarySynchronous } from '../operations/synchronous.ts'
import { up } from '../operations/up.ts'
import type { Demo } from '../demo/demo.ts'
import { flagOption, type OptionSpecs, type OptionValues } from '../options/options.ts'
import type { Narrator } from '../report/narrator.ts'
import { command, type Command, type CommandContext } from './command.ts'
import { UP_TIMEOUT_MS } from './commands.ts'
import { createSteps, requireKeys } from './steps.ts'

const NEXT = ['pnpm run status', 'pnpm run psql', 'pnpm run psql standby', 'pnpm run lesson', 'pnpm run down']

export const stepOption = flagOption('--step', 'wait for a key after each step, and say what to try by hand meanwhile')

/** The command is called as the demo, unless another name is given. */
export function demoCommand<O extends OptionSpecs>(
  demo: Demo<O>,
  { usage = demo.name, examples }: Partial<Pick<Command, 'usage' | 'examples'>> = {},
): Command {
  return command<OptionSpecs>({
    usage,
    ...(examples === undefined ? {} : { examples }),
    summary: demo.summary,
    options: { ...demo.options, stepwise: stepOption },
    run: async context => {
      const { stepwise, ...options } = context.options
      return await runDemo(demo, { ...context, options: options as OptionValues<O> }, stepwise === true)
    },
  })
}

/** Runs it from its title to what it teaches. */
export async function runDemo<O extends OptionSpecs>(
  demo: Demo<O>,
  { openLab, narrate, terminal, options, interrupt: { signal } }: CommandContext<O>,
  isStepwise: boolean,
): Promise<object | undefined> {
  if (isStepwise) requireKeys()
  narrate.title(demo.title)
  narrate.choice(demo.question)
  const { cluster, lock } = await openLab({ mayPull: true })
  const { step, end } = createSteps({ narrate, terminal, isWaiting: isStepwise, signal, lock })
  await up(cluster, { timeoutMs: UP_TIMEOUT_MS, signal })
  await using _asynchronous =
    demo.replication === undefined ? undefined : await makeAsynchronous(cluster, narrate, signal)
  await using _onePrimary = { [Symbol.asyncDispose]: () => leaveOnePrimary(cluster) }
  const result = await demo.run({ cluster, narrate, signal, options, step })
  if (signal.aborted) return result
  await end()
  narrate.learnt(demo.learnt)
  narrate.say('')
  narrate.say('The cluster stays up. To go on:')
  for (const line of NEXT) narrate.say(`  ${line}`)
  return result
}

/** A lesson may make two for a while. Whatever ends it, they are not left behind. */
async function leaveOnePrimary(cluster: Cluster): Promise<void> {
  const primaries = (await cluster.status()).filter(({ role }) => role === 'primary')
  if (primaries.length > 1) await up(cluster, { timeoutMs: UP_TIMEOUT_MS })
}

/** A user may have set it otherwise, and has it so again afterwards. */
async function makeAsynchronous(
  cluster: Cluster,
  narrate: Narrator,
  signal: AbortSignal,
): Promise<AsyncDisposable | undefined> {
  const { standbys, synchronousCommit } = await readSynchronous(cluster, signal)
  if (standbys === 'asynchronous' && synchronousCommit === 'on') return undefined
  narrate.say('Commits wait for no standby in this lesson; what was set is put back after it.')
  const setting = { standbys: 'asynchronous', synchronousCommit: 'on' } as const
  return await temporarySynchronous(cluster, setting, { timeoutMs: UP_TIMEOUT_MS, signal })
}
