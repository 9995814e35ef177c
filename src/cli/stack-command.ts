/**
 * `stack`: other people's engines around the lab's nodes. There is one, Patroni's.
 */
import { AssertionError } from 'node:assert'
import { trialOptions } from '../demo/trial-options.ts'
import { LabError } from '../errors.ts'
import { countOption, choiceOfWord, durationOption, flagOption, textOption } from '../options/options.ts'
import { counted, formatMs } from '../report/format.ts'
import { narrateStackStatus, narrateSwitchovers, tellTrial } from '../report/stack.ts'
import { stackDown } from '../stack/down.ts'
import { readStack, requireManaged, type EtcdMembers, type PatroniStack } from '../stack/stack.ts'
import { readStackStatus } from '../stack/status.ts'
import { DRAIN_MS, stackSwitchover } from '../stack/switchover.ts'
import { switchoversUnderLoad } from '../stack/under-load.ts'
import { stackUp } from '../stack/up.ts'
import { seconds } from '../wait.ts'
import type { Lab } from '../lab.ts'
import { tellStatus } from './tell-status.ts'
import { command, type CommandContext } from './command.ts'

const UP_TIMEOUT_MS = 600_000
const SWITCHOVER_TIMEOUT_MS = 60_000

const options = {
  etcd: countOption('--etcd <n>', { min: 1, max: 3 }, 'with up: how many members etcd has, 1 or 3 (default: 1)'),
  to: textOption('--to <node>', 'with switchover: which standby is to be the primary'),
  drain: durationOption(
    '--drain <time>',
    seconds(DRAIN_MS).replace(' ', ''),
    'with switchover: give it up when a transaction takes longer to end',
  ),
  noLoad: flagOption('--without-load', 'with switchover: no client of the lab writes meanwhile'),
  rate: trialOptions.rate,
  connections: trialOptions.connections,
  trials: trialOptions.trials,
}

type Context = CommandContext<typeof options>

const ACTIONS = { up, down, status, switchover } as const
type Action = keyof typeof ACTIONS

export const stackCommand = command({
  usage: 'stack <up|down|status|switchover> <patroni>',
  examples: [
    ...['stack up patroni', 'stack up patroni --etcd 3', 'stack status patroni'],
    ...['stack switchover patroni --trials 30', 'stack down patroni'],
  ],
  summary:
    'Patroni, etcd, HAProxy and PgBouncer around the same nodes: up, down (the lab has them back), status, switchover',
  options,
  run: async context => {
    const [action, name] = context.words
    const word = choiceOfWord('what to do with the stack', Object.keys(ACTIONS) as Action[], action)
    choiceOfWord('the name of the stack', ['patroni'], name)
    const lab = await context.openLab({ mayPull: true, managed: 'allowed', onlyLooks: word === 'status' })
    const stack = await readStack(lab.cluster, { etcd: word === 'up' ? etcdOf(context) : undefined })
    if (word !== 'up') await requireManaged(lab.cluster)
    return await ACTIONS[word](context, lab, stack)
  },
})

function etcdOf({ options: { etcd } }: Context): EtcdMembers | undefined {
  if (etcd === 2)
    throw new LabError('USAGE', '--etcd is 2, of which none may be lost', { hint: 'It is 1 or 3: a majority decides.' })
  return etcd === 1 || etcd === 3 ? etcd : undefined
}

async function up({ narrate, interrupt: { signal } }: Context, { cluster }: Lab, stack: PatroniStack): Promise<object> {
  const startedAt = performance.now()
  const { how } = await stackUp(cluster, stack, { timeoutMs: UP_TIMEOUT_MS, signal })
  const what = { made: 'made by Patroni', adopted: 'adopted by Patroni, without a clone', continued: 'up' }[how]
  narrate.say(`${what}, after ${formatMs(performance.now() - startedAt)}`)
  const { haproxy, pgbouncer } = stack
  narrate.say(
    `PgBouncer ${pgbouncer.host}:${pgbouncer.port} · HAProxy ${haproxy.primary.port} primary, ${haproxy.standbys.port} standbys`,
  )
  const document = await readStackStatus(stack, { signal })
  narrateStackStatus(narrate, document)
  return { ...document, how }
}

async function down(
  { narrate, interrupt: { signal } }: Context,
  { cluster }: Lab,
  stack: PatroniStack,
): Promise<object> {
  const startedAt = performance.now()
  const { isSame } = await stackDown(cluster, stack, { timeoutMs: UP_TIMEOUT_MS, signal })
  narrate.say(
    `the lab has its cluster back${isSame ? ', without a clone' : ''}, after ${formatMs(performance.now() - startedAt)}`,
  )
  return await tellStatus(narrate, cluster, signal)
}

async function status({ narrate, interrupt: { signal } }: Context, _: Lab, stack: PatroniStack): Promise<object> {
  const document = await readStackStatus(stack, { signal })
  narrateStackStatus(narrate, document)
  return document
}

async function switchover(context: Context, { cluster }: Lab, stack: PatroniStack): Promise<object> {
  const { narrate, options, interrupt } = context
  const { to, drain: drainMs, trials, rate: ratePerSecond, connections } = options
  const each = { to, drainMs, timeoutMs: SWITCHOVER_TIMEOUT_MS, signal: interrupt.signal }
  if (to !== undefined && trials > 1)
    throw new LabError('USAGE', '--to is for one switchover', { hint: 'Leave out --trials.' })
  if (options.noLoad) {
    const done = await stackSwitchover(cluster, stack, each)
    narrate.say(
      `${done.newPrimary} is the primary, on timeline ${done.timeline.after}; PgBouncer was paused for ${formatMs(done.pausedMs)}`,
    )
    return { version: 1, stack: 'patroni', ...done }
  }
  narrate.say(`${counted(connections, 'connection')} to PgBouncer, ${ratePerSecond} writes a second`)
  const document = await switchoversUnderLoad(cluster, stack, {
    ...{ ...each, trials, ratePerSecond, connections },
    onTrial: (done, number) => narrate.say(tellTrial(done, number)),
    onFailure: error => narrate.failAtEnd(error),
  })
  narrateSwitchovers(narrate, document)
  narrate.keep(document)
  const { failed, indeterminate, lost } = document.writes
  if (failed + indeterminate + lost > 0 || document.verdict !== 'durable')
    throw new AssertionError({ message: `no write fails or is lost in a switchover with PgBouncer: ${document.why}` })
  return document
}
