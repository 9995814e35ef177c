/**
 * `salvage`: what a node had that no other one received, compared with today's primary, table by table.
 */
import { writeFile } from 'node:fs/promises'
import { compareWithPrimary, findToSalvage, type Compared } from '../operations/salvage/compare.ts'
import { comparisonScript } from '../operations/salvage/differences.ts'
import { requireNew } from '../operations/salvage/salvage.ts'
import { salvagePsql } from '../operations/salvage/script.ts'
import { fileOption, flagOption } from '../options/options.ts'
import { LabError } from '../errors.ts'
import { formatLsn } from '../postgres/lsn.ts'
import { narrateComparison, type SalvageDocument } from '../report/salvage.ts'
import { command } from './command.ts'
import { isTerminal, runInForeground } from './foreground.ts'
import { SALVAGE_TIMEOUT_MS } from './rejoin-command.ts'

export const salvageCommand = command({
  usage: 'salvage <node>',
  examples: ['salvage primary'],
  summary: 'what only that node had, from what it keeps or while it is not rejoined: missing, changed, deleted rows',
  options: {
    psql: flagOption('--psql', 'open psql on it instead: read-only, in a server of its own'),
    sql: fileOption('--sql <file>', 'write the missing rows as SQL that may run twice, the others as comments'),
  },
  run: async ({ openLab, words: [name], narrate, terminal, options: { psql, sql: into }, interrupt }) => {
    if (name === undefined) throw new LabError('USAGE', 'salvage needs a node', { hint: 'pnpm run status names them.' })
    if (psql && into !== undefined)
      throw new LabError('USAGE', '--psql and --sql do not go together', { hint: 'One after the other.' })
    if (into !== undefined) requireNew(into)
    const { cluster } = await openLab()
    const limits = { timeoutMs: SALVAGE_TIMEOUT_MS, signal: interrupt.signal }
    if (psql) {
      const { node, from, past } = await findToSalvage(cluster, name, limits)
      const apart = { timeline: past.timeline, onKept: from === 'kept', terminal: isTerminal() }
      process.exitCode = await runInForeground(await salvagePsql(cluster, node, apart), { terminal, interrupt })
      return undefined
    }
    terminal.busy(`comparing what ${name} has with the primary`)
    const compared = await compareWithPrimary(cluster, name, limits)
    if (into !== undefined)
      await writeFile(into, comparisonScript(compared, headerOf(compared)), { flag: 'wx', flush: true })
    const { columns: _, ...told } = compared
    const document: SalvageDocument = { version: 1, ...told, file: into ?? null }
    narrateComparison(narrate, document)
    return document
  },
})

const headerOf = ({ node, past, tables, uncompared }: Compared): string[] => [
  `What ${node} had past ${formatLsn(past.forkLsn)} on timeline ${past.forkTimeline}, and the primary has not, or has otherwise.`,
  'Missing rows are inserted unless their key is taken; the others are comments. Once more does no harm.',
  ...tables.map(
    ({ table, missing, changed, deleted }) => `${table}: ${missing} missing, ${changed} changed, ${deleted} deleted`,
  ),
  ...uncompared.map(({ table, why }) => `${table} was not compared: ${why}`),
]
