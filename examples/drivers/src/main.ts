/**
 * The command: reads the options, runs the matrix, says what came of it.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isLabError, LabError } from 'pg-failover-lab'
import { merged, type DriversDocument } from './document.ts'
import { runMatrix, type Progress } from './matrix.ts'
import { HELP, parseOptions, type Options } from './options.ts'
import { htmlReport } from './report-html.ts'
import { markdownReport } from './report-markdown.ts'
import { alignedTable, terminalReport } from './report-terminal.ts'
import { situations } from './situations.ts'
import { PACKAGE_FOLDER } from './sources.ts'
import { subjects } from './subjects/index.ts'
import { formatMs } from './words.ts'

const KEPT_RUN = join(PACKAGE_FOLDER, 'kept-run.json')
const DOCUMENT = join(PACKAGE_FOLDER, '..', '..', 'docs', 'drivers.md')
const INTERRUPTED = 130
const SAME_SIGNAL_MS = 1_000

/** @returns the exit code: 0 done, 1 a trial came to nothing, 2 used wrongly, 130 interrupted */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    const options = parseOptions(argv)
    if (options.help) return say(HELP)
    if (options.list) return say(list())
    if (options.document) return await writeDocument(await readKept())
    return await measure(options)
  } catch (error) {
    if (!isLabError(error)) throw error
    process.stderr.write(`drivers: ${error.message}\n${error.hint === undefined ? '' : `${error.hint}\n`}`)
    return error.code === 'USAGE' ? 2 : 1
  }
}

async function measure(options: Options): Promise<number> {
  const interrupt = new AbortController()
  let askedAt: number | undefined
  const onSignal = (name: NodeJS.Signals): void => {
    // Who has started this may pass on the same Ctrl-C once more: tsx does, on a machine that is busy.
    if (askedAt !== undefined && performance.now() - askedAt < SAME_SIGNAL_MS) return
    if (interrupt.signal.aborted) process.exit(INTERRUPTED)
    askedAt = performance.now()
    process.stderr.write('\nending, with what there is; once more ends at once\n')
    interrupt.abort(new LabError('INTERRUPTED', `interrupted by ${name}`))
  }
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal)
  const { signal } = interrupt
  const document = await runMatrix({ ...options, variants: ['default', 'mended'], signal, tell, tellRepeated })
  if (options.json) say(`${formatted(document)}\n`)
  else if (document.cells.every(({ n }) => n === 0))
    process.stderr.write('no trial was done, so there is nothing to tell\n')
  else say(`\n${terminalReport(document)}\n`)
  if (options.report !== undefined) await writeFile(options.report, htmlReport(document))
  if (signal.aborted) return INTERRUPTED
  if (options.keep) {
    const kept = merged(await readKept().catch(() => document), document)
    await writeFile(KEPT_RUN, `${formatted(kept)}\n`)
    await writeDocument(kept)
  }
  return document.failures.length === 0 ? 0 : 1
}

/** A line a cell: a run that is kept is read by people, and compared by git. */
function formatted({ cells, ...rest }: DriversDocument): string {
  const lines = cells.map(cell => `    ${JSON.stringify(cell)}`).join(',\n')
  return `${JSON.stringify(rest, null, 2).slice(0, -2)},\n  "cells": [\n${lines}\n  ]\n}`
}

const readKept = async (): Promise<DriversDocument> => JSON.parse(await readFile(KEPT_RUN, 'utf8')) as DriversDocument

async function writeDocument(document: DriversDocument): Promise<number> {
  await writeFile(DOCUMENT, markdownReport(document))
  process.stderr.write('docs/drivers.md is made from the kept run\n')
  return 0
}

function tell({ situation, group, trial, trials, done, all, leftMs }: Progress): void {
  const left = leftMs === undefined ? '' : `, some ${formatLeft(leftMs)} left`
  process.stderr.write(
    `${done + 1} of ${all}${left}: ${situation.id}, trial ${trial} of ${trials}, with ${group.map(({ id }) => id).join(', ')}\n`,
  )
}

const tellRepeated = (why: string): void => void process.stderr.write(`again, for it came to nothing: ${why}\n`)

const formatLeft = (ms: number): string =>
  ms < 90_000 ? formatMs(Math.ceil(ms / 1_000) * 1_000).replace('.00', '') : `${Math.ceil(ms / 60_000)} minutes`

function list(): string {
  const bySubject = subjects.map(({ id, title, works }) => [id, title, works.join(', ')])
  const bySituation = situations.map(({ id, title, work }) => [id, title, work])
  const lines = [
    ...alignedTable({ head: ['subject', '', 'does'], rows: bySubject }),
    '',
    ...alignedTable({ head: ['situation', '', 'for who does'], rows: bySituation }),
  ]
  return `${lines.join('\n')}\n`
}

function say(text: string): number {
  process.stdout.write(text)
  return 0
}
