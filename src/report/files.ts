/**
 * Files that a command leaves: histories, reports.
 */
import { createWriteStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { LabError, messageOf } from '../errors.ts'
import type { History } from '../history/history.ts'
import { historyLines } from '../history/lines.ts'
import { failoverReport } from './html/reports.ts'
import { writeWhole } from './whole-file.ts'
import type { Narrator } from './narrator.ts'
import type { AnyRecord, AnyResult, AnyTrials } from './phases.ts'

/** Keeps what was measured; and where `--report` asks for a page, draws and writes it, and says where it is. */
export async function keepReport<Document extends object>(
  narrate: Narrator,
  { file, document }: { readonly file: string | undefined; readonly document: Document },
  draw: (document: Document) => Promise<string>,
): Promise<void> {
  narrate.keep(document)
  if (file === undefined) return
  const html = await draw(signed(document, narrate.command))
  await keepFile(narrate, { what: 'report', file }, scratch => writeFile(scratch, html))
}

/** The document says which command line made it. */
export const signed = <Document extends object>(document: Document, command: string | undefined): Document =>
  command === undefined ? document : { ...document, command }

/** What was measured is told even so: that the file is not there ends the command, after everything else. */
async function keepFile(
  narrate: Narrator,
  { what, file }: { readonly what: string; readonly file: string },
  write: (scratch: string) => Promise<void>,
): Promise<void> {
  try {
    await writeWhole(file, write)
    narrate.say(`${what.padEnd(14)} ${file}`)
  } catch (error) {
    narrate.failAtEnd(
      new LabError('FILE_NOT_WRITTEN', `${file} could not be written: ${messageOf(error)}`, {
        hint: 'What was measured is in what was printed. The next run can write to another folder.',
        cause: error,
      }),
    )
  }
}

/** Writes histories as JSON Lines, one after another. */
async function writeHistories(file: string, histories: readonly History[]): Promise<void> {
  const lines = histories.flatMap(history => [historyLines(history)])
  await pipeline(Readable.from(textOf(lines)), createWriteStream(file))
}

function* textOf(lines: readonly Iterable<string>[]): Generator<string> {
  for (const some of lines) for (const line of some) yield `${line}\n`
}

export interface Evidence {
  readonly document: AnyRecord | AnyTrials
  readonly runs: readonly AnyResult[]
  /** Files to write; undefined ones are not. */
  readonly history: string | undefined
  readonly report: string | undefined
}

/** Writes what `--history` and `--report` ask for, and says where it is. */
export async function keepEvidence(narrate: Narrator, { document, runs, history, report }: Evidence): Promise<void> {
  if (history !== undefined) {
    const histories = runs.map(run => run.history)
    await keepFile(narrate, { what: 'history', file: history }, scratch => writeHistories(scratch, histories))
  }
  await keepReport(narrate, { file: report, document }, signedDocument =>
    failoverReport({ document: signedDocument, runs }),
  )
}
