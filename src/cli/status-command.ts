/**
 * `status`: the state of the cluster, once, or live with `--watch`.
 */
import { countOption, flagOption, sizeOption } from '../options/options.ts'
import { LabError } from '../errors.ts'
import { narrateStackStatus } from '../report/stack.ts'
import { readStack } from '../stack/stack.ts'
import { readStackStatus } from '../stack/status.ts'
import { tellCheck, tellStatus } from './tell-status.ts'
import { command } from './command.ts'
import { watch } from './watch.ts'

const EVERY_MS = 500

export const statusCommand = command({
  usage: 'status',
  examples: ['status', 'status --watch', 'status --check --max-lag 16MB --max-retained 512MB'],
  summary: 'roles, timelines, replication and slots, as the servers tell them',
  options: {
    watch: flagOption(
      '--watch',
      'show it live: q quits; in a pipe a line for each change, with --json a document on a line for each look',
    ),
    check: flagOption('--check', 'for scripts: the exit code is 1 when anything is wrong, and each problem is told'),
    maxLag: sizeOption('--max-lag <size>', 'with --check: a standby that has not applied more than this is a problem'),
    maxRetained: sizeOption('--max-retained <size>', 'with --check: so is a slot that holds back more WAL than this'),
    every: countOption(
      '--every <ms>',
      { min: 50, max: 60_000 },
      `with --watch: how often to look (default: ${EVERY_MS})`,
    ),
  },
  run: async ({ options, openLab, narrate, terminal, interrupt, isJson }) => {
    if (options.every !== undefined && !options.watch)
      throw new LabError('USAGE', '--every is given without --watch', { hint: 'Add --watch, or leave --every out.' })
    const { check, maxLag, maxRetained } = options
    const hint = 'A check looks once: pnpm run status --check.'
    if (check && options.watch) throw new LabError('USAGE', '--check is given with --watch', { hint })
    if (!check && (maxLag ?? maxRetained) !== undefined)
      throw new LabError('USAGE', '--max-lag or --max-retained is given without --check', { hint })
    const { cluster } = await openLab({ onlyLooks: true })
    const { signal } = interrupt
    if (options.watch) {
      terminal.idle()
      await watch(cluster, { everyMs: options.every ?? EVERY_MS, isJson, narrate, terminal, signal })
      return undefined
    }
    if (check) return await tellCheck(narrate, cluster, { maxLag, maxRetained, signal })
    const document = await tellStatus(narrate, cluster, signal)
    if ((await cluster.runtime.manager()) === undefined) return document
    narrate.say('')
    const stack = await readStackStatus(await readStack(cluster), { signal })
    narrateStackStatus(narrate, stack)
    return { ...document, stack }
  },
})
