/**
 * `delay`: a standby that applies transactions later than it receives them.
 */
import { delayReplay } from '../operations/delay.ts'
import { textOption } from '../options/options.ts'
import { LabError } from '../errors.ts'
import { formatDuration, parseDuration } from '../postgres/duration.ts'
import { command } from './command.ts'

export const delayCommand = command({
  usage: 'delay <node>',
  examples: ['delay replica2 --by 5min', 'delay replica2 --by 0'],
  summary: 'let a standby apply transactions later than it receives them',
  options: { by: textOption('--by <time>', 'how much later: 500ms, 30s, 5min, 1h; 0 ends the delay') },
  run: async ({ openLab, words: [node = ''], options, narrate, interrupt: { signal } }) => {
    const byMs = millisecondsOf(options.by)
    const { cluster } = await openLab()
    const { name, recoveryMinApplyDelayMs } = await delayReplay(cluster, node, {
      byMs,
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

/** In PostgreSQL's own notation. @throws LabError USAGE */
function millisecondsOf(by: string | undefined): number {
  const ms = by === undefined ? undefined : parseDuration(by)
  if (ms !== undefined) return ms
  throw new LabError('USAGE', by === undefined ? '--by is missing' : `--by is "${by}"`, {
    hint: 'It is a number and a unit, as PostgreSQL takes it: 500ms, 30s, 5min, 1h, at most 24d; 0 ends the delay.',
  })
}
