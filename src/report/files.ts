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
import type { TrialResult } from '../experiments/trial.ts'
import type { FailoverRecord } from '../measure/record.ts'
import type { TrialsDocument } from '../measure/trials.ts'
import { failoverReport } from './html/reports.ts'
import type { Narrator } from './narrator.ts'

/** Draws a report and writes it, if `--report` asks for one, and says where it is. @throws LabError USAGE when it cannot be written */
export async function keepReport(
  narrate: Narrator,
  file: string | undefined,
  draw: () => Promise<string>,
): Promise<void> {
  if (file === undefined) return
  const html = await draw()
  await writable(file, writeFile(file, html))
  narrate.say(`report         ${file}`)
}

async function writable(file: string, written: Promise<void>): Promise<void> {
  try {
    await written
  } catch (error) {
    throw new LabError('USAGE', `cannot write ${file}: ${messageOf(error)}`, {
      hint: 'Name a file in a folder that is there and can be written to.',
      cause: error,
    })
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
  readonly document: FailoverRecord | TrialsDocument
  readonly runs: readonly TrialResult[]
  /** Files to write; undefined ones are not. */
  readonly history: string | undefined
  readonly report: string | undefined
}

/** Writes what `--history` and `--report` ask for, and says where it is. */
export async function keepEvidence(narrate: Narrator, { document, runs, history, report }: Evidence): Promise<void> {
  if (history !== undefined) {
    const histories = runs.map(run => run.history)
    await writable(history, writeHistories(history, histories))
    narrate.say(`history        ${history}`)
  }
  await keepReport(narrate, report, () => failoverReport({ document, runs }))
}
