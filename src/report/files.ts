/**
 * Files that a command leaves: histories, reports.
 */
import { createWriteStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { LabError, messageOf } from '../errors.ts'
import type { History } from '../workload/history.ts'
import { historyLines } from '../workload/history-lines.ts'
import type { TrialResult } from '../workload/trial.ts'
import type { FailoverRecord } from '../measure/record.ts'
import type { TrialsDocument } from '../measure/trials.ts'
import { failoverReport, writeReport } from './html/reports.ts'
import type { Narrator } from './narrator.ts'

/**
 * To be called before the work: a file that cannot be written is found out then, and not after it.
 * @throws LabError USAGE
 */
export async function requireWritable(...files: readonly (string | undefined)[]): Promise<void> {
  for (const file of files) {
    if (file === undefined) continue
    try {
      await (await open(file, 'a')).close()
    } catch (error) {
      throw new LabError('USAGE', `cannot write ${file}: ${messageOf(error)}`, {
        hint: 'Name a file in a folder that is there and can be written to.',
        cause: error,
      })
    }
  }
}

/** Writes histories as JSON Lines, one after another. */
export async function writeHistories(file: string, histories: readonly History[]): Promise<void> {
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
    await writeHistories(
      history,
      runs.map(run => run.history),
    )
    narrate.say(`history        ${history}`)
  }
  if (report !== undefined) {
    await writeReport(report, await failoverReport({ document, runs }))
    narrate.say(`report         ${report}`)
  }
}
