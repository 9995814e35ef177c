import { describe, expect, test } from 'vitest'
import type { ControlFile } from '../../../src/postgres/control-file.ts'
import { historyOnDisk } from '../../../src/postgres/history-on-disk.ts'
import { parseLsn } from '../../../src/postgres/lsn.ts'
import { nodeHistory } from '../../../src/postgres/node-history.ts'

const point = (timeline: number, lsn: string): { timeline: number; lsn: ReturnType<typeof parseLsn> } => ({
  timeline,
  lsn: parseLsn(lsn),
})

const control = (checkpoint: string, timeline: number, minRecoveryEnd: ControlFile['minRecoveryEnd']): ControlFile => ({
  systemIdentifier: '7',
  isShutDown: false,
  checkpointLsn: parseLsn(checkpoint),
  checkpointTimeline: timeline,
  minRecoveryEnd,
})

const FROM_1 = '1\t0/402A998\tno recovery target specified\n'
const [OF_1, OF_2] = ['000000010000000000000004', '000000020000000000000004']

describe('the timeline of a server that is down', () => {
  test.each([
    [
      'is that of its checkpoint while there is no other',
      { control: control('0/4000060', 1, null), historyFiles: [], walFiles: [OF_1] },
      { timeline: 1, end: '0/4000060' },
    ],
    [
      'is the new one right after a promotion, although its checkpoint is on the old one',
      { control: control('0/4000060', 1, point(2, '0/402A9C0')), historyFiles: [FROM_1], walFiles: [OF_1, OF_2] },
      { timeline: 2, end: '0/402A9C0' },
    ],
    [
      'is one that a standby has received, and pg_control does not know of',
      { control: control('0/4000060', 1, point(1, '0/4000100')), historyFiles: [FROM_1], walFiles: [OF_1, OF_2] },
      { timeline: 2, end: '0/402A998' },
    ],
    [
      'is not one of which there is a history file and no WAL',
      { control: control('0/4000060', 1, point(1, '0/4000100')), historyFiles: [FROM_1], walFiles: [OF_1] },
      { timeline: 1, end: '0/4000100' },
    ],
    [
      'is not one whose segment was left in pg_wal by a rewind',
      { control: control('0/4000060', 1, point(1, '0/4034E20')), historyFiles: [FROM_1], walFiles: [OF_1, OF_2] },
      { timeline: 1, end: '0/4034E20' },
    ],
    [
      'is not one that began before what it has written itself',
      { control: control('0/4031048', 1, null), historyFiles: [FROM_1], walFiles: [OF_1, OF_2] },
      { timeline: 1, end: '0/4031048' },
    ],
  ])('%s', (_, { historyFiles, ...files }, { timeline, end }) => {
    const found = historyOnDisk({ ...files, historyFiles: new Map(historyFiles.map(text => [2, text])) })
    const switches = timeline === 1 ? [] : [{ timeline: 1, forkLsn: parseLsn('0/402A998') }]
    expect(found).toEqual(nodeHistory({ systemIdentifier: '7', timeline, switches, endLsn: parseLsn(end) }))
  })
})
