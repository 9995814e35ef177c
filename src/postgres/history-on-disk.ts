/**
 * On which timeline a server that is down has come to its end, told by its files. Pure.
 * None of them tells it alone: pg_control goes on naming the old timeline after a promotion, pg_wal keeps segments of a
 * timeline that was abandoned, and history files are fetched of timelines that cannot be followed.
 */
import type { ControlFile } from './control-file.ts'
import { segmentStart, timelineOfWalFile, walFileStart } from './lsn.ts'
import { nodeHistory, type HistoryPoint, type NodeHistory } from './node-history.ts'
import { parseTimelineHistory, type TimelineSwitch } from './timeline-history.ts'

export interface FilesOnDisk {
  readonly control: ControlFile
  /** The text of each history file in pg_wal, by its timeline. */
  readonly historyFiles: ReadonlyMap<number, string>
  /** Names of WAL segments in pg_wal. */
  readonly walFiles: readonly string[]
}

/**
 * The newest timeline on which every position lies that pg_control names, and of which there is WAL. Its end is the
 * furthest of those positions: what was written after that only the WAL itself tells.
 */
export function historyOnDisk({ control, historyFiles, walFiles }: FilesOnDisk): NodeHistory {
  const { systemIdentifier, checkpointTimeline, checkpointLsn, minRecoveryEnd } = control
  const checkpoint = { timeline: checkpointTimeline, lsn: checkpointLsn }
  const known = minRecoveryEnd === null ? [checkpoint] : [checkpoint, minRecoveryEnd]
  const told = known.reduce((a, b) => (b.timeline > a.timeline ? b : a)).timeline
  const endLsn = known.reduce((a, b) => (b.lsn > a.lsn ? b : a)).lsn
  const newer = [...historyFiles.keys()].filter(timeline => timeline > told).sort((a, b) => b - a)
  const timeline = newer.find(candidate => {
    const switches = parseTimelineHistory(historyFiles.get(candidate) ?? '')
    return known.every(point => isBefore(point, switches)) && hasWal(candidate, { switches, walFiles })
  })
  const on = timeline ?? told
  return nodeHistory({
    systemIdentifier,
    timeline: on,
    switches: parseTimelineHistory(historyFiles.get(on) ?? ''),
    endLsn,
  })
}

/** On one of the timelines that were left, and before that was. */
const isBefore = ({ timeline, lsn }: HistoryPoint, switches: readonly TimelineSwitch[]): boolean =>
  switches.some(left => left.timeline === timeline && lsn <= left.forkLsn)

function hasWal(
  timeline: number,
  { switches, walFiles }: { readonly switches: readonly TimelineSwitch[]; readonly walFiles: readonly string[] },
): boolean {
  const begin = switches.at(-1)?.forkLsn
  return walFiles.some(
    name => timelineOfWalFile(name) === timeline && (begin === undefined || walFileStart(name) >= segmentStart(begin)),
  )
}
