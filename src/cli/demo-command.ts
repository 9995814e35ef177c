/**
 * A demo as a command: brings the cluster up, runs the demo, leaves the cluster up, and says what to try next.
 */
import { up } from '../cluster/up.ts'
import type { Demo, OptionSpecs } from '../demo.ts'
import { command, type Command } from './command.ts'
import { UP_TIMEOUT_MS } from './commands.ts'

export function demoCommand<O extends OptionSpecs>(demo: Demo<O>, next: readonly string[]): Command {
  return command<O>({
    usage: demo.name,
    summary: demo.summary,
    options: demo.options,
    run: async ({ openLab, narrate, options, interrupt: { signal } }) => {
      narrate.title(demo.title)
      const { cluster } = await openLab({ mayPull: true })
      await up(cluster, { timeoutMs: UP_TIMEOUT_MS, signal })
      const result = await demo.run({ cluster, narrate, signal, options })
      if (signal.aborted) return result
      narrate.say('')
      narrate.say('The cluster stays up. To go on:')
      for (const line of next) narrate.say(`  ${line}`)
      return result
    },
  })
}
