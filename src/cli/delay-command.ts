/**
 * `delay`: a standby that applies transactions later than it receives them.
 */
import { delay } from '../cluster/delay.ts'
import type { OptionSpec } from '../demo.ts'
import { LabError } from '../errors.ts'
import { formatDuration, parseDuration } from '../postgres/duration.ts'
import { command } from './command.ts'

/** PostgreSQL's own notation, as milliseconds. */
const by: OptionSpec<number> = {
  flags: '--by <time>',
  description: 'how much later: 500ms, 30s, 5min, 1h; 0 ends the delay',
  parse: value => {
    const given = [value].flat().at(-1)
    const text = typeof given === 'string' || typeof given === 'number' ? String(given) : undefined
    const ms = text === undefined ? undefined : parseDuration(text)
    if (ms !== undefined) return ms
    throw new LabError('USAGE', text === undefined ? '--by is missing' : `--by is "${text}"`, {
      hint: 'It is a number and a unit, as PostgreSQL takes it: 500ms, 30s, 5min, 1h, at most 24d; 0 ends the delay.',
    })
  },
}

export const delayCommand = command({
  usage: 'delay <node>',
  summary: 'let a standby apply transactions later than it receives them',
  options: { by },
  run: async ({ openLab, words: [node = ''], options, narrate, interrupt: { signal } }) => {
    const { cluster } = await openLab()
    const { name, recoveryMinApplyDelayMs } = await delay(cluster, node, {
      byMs: options.by,
      timeoutMs: TIMEOUT_MS,
      signal,
    })
    const length = formatDuration(recoveryMinApplyDelayMs)
    if (recoveryMinApplyDelayMs === 0) narrate.say(`${name} applies transactions as it receives them`)
    else {
      narrate.say(
        `${name} applies a transaction ${length} after its commit; recovery_min_apply_delay survives restarts`,
      )
      narrate.say(`to end it: pnpm run delay ${name} --by 0`)
    }
    return { version: 1, runtime: cluster.runtime.name, node: name, recoveryMinApplyDelayMs }
  },
})

const TIMEOUT_MS = 30_000
