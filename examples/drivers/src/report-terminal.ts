/**
 * The result for a terminal. Pure.
 */
import type { DriversDocument, Machine } from './document.ts'
import { findingsOf } from './findings.ts'
import { situationTable, type Table } from './tables.ts'

export function terminalReport(document: DriversDocument): string {
  const { situations, cells, failures } = document
  const shown = situations.filter(({ id }) => cells.some(({ situation }) => situation === id))
  const blocks = shown.map(situation => {
    const n = Math.max(...cells.filter(cell => cell.situation === situation.id).map(cell => cell.n))
    const table = alignedTable(situationTable(document, situation)).map(line => `  ${line}`)
    return [`${situation.title} (${situation.id}, n = ${n})`, `  ${situation.says}`, '', ...table].join('\n')
  })
  const failed = failures.map(({ situation, reason }) => `A trial of ${situation} came to nothing: ${reason}`)
  const short = findingsOf(document).map(({ fact, who }) => `${fact}:\n  ${who.join('\n  ') || 'none'}`)
  return [...blocks, ...short, ...failed, settingOf(document)].join('\n\n')
}

export function settingOf({ date, machine, postgresVersion, options, versions }: DriversDocument): string {
  const drivers = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return (
    `${date}, PostgreSQL ${postgresVersion}, Node ${machine.node.slice(1)}, ${machine.platform}, ${machine.cpus} CPUs${loadOf(machine)}; ` +
    `${options.ratePerSecond} requests a second of each subject, up to ${options.together} of them at once in both variants, observed for ${options.observeMs / 1_000} s; ${drivers.join(', ')}`
  )
}

const loadOf = ({ loadAverage }: Machine): string =>
  loadAverage === undefined
    ? ''
    : `, load average before a trial ${loadAverage.median} (${loadAverage.min} to ${loadAverage.max})`

/** Columns aligned, two spaces between. */
export function alignedTable({ head, rows }: Table): string[] {
  const all = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...all.map(row => row[column]?.length ?? 0)))
  return all.map(row =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}
