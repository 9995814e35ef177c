/**
 * `status`: the state of the cluster, once, or live with `--watch`.
 */
import { countOption, flagOption } from '../options/options.ts'
import { LabError } from '../errors.ts'
import { tellStatus } from './tell-status.ts'
import { command } from './command.ts'
import { watch } from './watch.ts'

const EVERY_MS = 500

export const statusCommand = command({
  usage: 'status',
  examples: ['status', 'status --watch', 'status --json'],
  summary: 'roles, timelines, replication and slots, as the servers tell them',
  options: {
    watch: flagOption(
      '--watch',
      'show it live: q quits; in a pipe a line for each change, with --json a document on a line for each look',
    ),
    every: countOption(
      '--every <ms>',
      { min: 50, max: 60_000 },
      `with --watch: how often to look (default: ${EVERY_MS})`,
    ),
  },
  run: async ({ options, openLab, narrate, terminal, interrupt, isJson }) => {
    if (options.every !== undefined && !options.watch)
      throw new LabError('USAGE', '--every is given without --watch', { hint: 'Add --watch, or leave --every out.' })
    const { cluster } = await openLab({ onlyLooks: true })
    const { signal } = interrupt
    if (options.watch) {
      terminal.idle()
      await watch(cluster, { everyMs: options.every ?? EVERY_MS, isJson, narrate, terminal, signal })
      return undefined
    }
    return await tellStatus(narrate, cluster, signal)
  },
})
