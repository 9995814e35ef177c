/**
 * Timeline history files, `pg_wal/00000002.history`: where each timeline left the one before it.
 * https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-TIMELINES
 */
import type { Session } from './connection.ts'
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

/**
 * Asks a server for the history of a timeline that it has, over a connection of the replication protocol; empty for
 * timeline 1, which has none.
 */
export async function readTimelineHistory(walSender: Session, timeline: number): Promise<TimelineSwitch[]> {
  if (timeline === 1) return []
  const [row] = await walSender.query<{ content: Buffer | string }>(`TIMELINE_HISTORY ${timeline}`)
  return parseTimelineHistory(row?.content.toString() ?? '')
}
