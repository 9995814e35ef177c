/**
 * Timeline history files, `pg_wal/00000002.history`: where each timeline left the one before it. Pure.
 * https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-TIMELINES
 */
import { parseLsn, type Lsn } from './lsn.ts'

/** A line of the file: the timeline that ended, and where. */
export interface TimelineSwitch {
  readonly timeline: number
  /** The first position that is not on `timeline` any more. */
  readonly forkLsn: Lsn
}

/** Reads the text of a history file: a line a timeline, its number, a tab, an LSN; what follows is for people. */
export function parseTimelineHistory(text: string): TimelineSwitch[] {
  return text.split('\n').flatMap(line => {
    const fields = /^\s*(\d+)\s+([0-9A-F]+\/[0-9A-F]+)/i.exec(line)
    if (fields === null) return [] // empty, or a comment
    return [{ timeline: Number(fields[1]), forkLsn: parseLsn(fields[2] ?? '') }]
  })
}

/** Where `timeline` keeps its history, below the data folder. */
export const timelineHistoryFile = (timeline: number): string =>
  `pg_wal/${timeline.toString(16).toUpperCase().padStart(8, '0')}.history`
