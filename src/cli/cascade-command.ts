/**
 * `cascade`: a standby that follows another standby, and back.
 */
import { cascade } from '../operations/cascade.ts'
import { textOption } from '../options/options.ts'
import { LabError } from '../errors.ts'
import { formatMs } from '../report/format.ts'
import { command } from './command.ts'

export const cascadeCommand = command({
  usage: 'cascade <node>',
  examples: ['cascade replica2 --from replica1'],
  summary: 'let a standby follow another standby, or the primary again',
  options: { from: textOption('--from <node>', 'whom to follow; the name of the primary is the way back') },
  run: async ({ openLab, words: [node = ''], options: { from }, narrate, interrupt: { signal } }) => {
    if (from === undefined) {
      throw new LabError('USAGE', '--from is missing', {
        hint: `Name the node to follow: cascade ${node} --from NODE.`,
      })
    }
    const { cluster } = await openLab()
    const startedAt = performance.now()
    const following = await cascade(cluster, node, { from, timeoutMs: TIMEOUT_MS, signal })
    const ms = performance.now() - startedAt
    const { isCascading, timeline, ...who } = following
    const role = isCascading ? 'a standby' : 'the primary'
    narrate.say(`${who.node} streams from ${who.from}, ${role}, on timeline ${timeline}, after ${formatMs(ms)}`)
    if (isCascading) narrate.say(`back: pnpm run up, or pnpm run cascade ${who.node} --from the primary's name`)
    return { version: 1, runtime: cluster.runtime.name, ...following, ms }
  },
})

/** A standby connects within a second, or it never will. */
const TIMEOUT_MS = 30_000
