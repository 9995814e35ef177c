import { describe, expect, test } from 'vitest'
import { parseControlFile } from '../../../src/postgres/control-file.ts'
import { parseLsn } from '../../../src/postgres/lsn.ts'
import { catchLabError } from '../../support/catch-lab-error.ts'

/** The first bytes of real ones of PostgreSQL 15, and what pg_controldata said of them. */
const CASES = [
  {
    state: 'in production',
    bytes:
      '502c44592a67066b1405000025770d0c06000000000000004b67066b000000004810030400000000101003040000000001000000010000000100000000000000de020000000000000a4000000100000000000000cd020000010000000100000001000000000000004b67066b000000000000000000000000de02000000000000e803000000000000000000000000000000000000000000000000000000000000',
    checkpoint: '0/4031048',
    minRecoveryEnd: null,
  },
  {
    state: 'in archive recovery, after a rewind',
    bytes:
      '502c44592a67066b1405000025770d0c05000000000000004e67066b0000000020a902040000000020a902040000000001000000010000000100000000000000de020000000000000a4000000100000000000000cd020000010000000100000001000000000000003e67066b0000000000000000000000000000000000000000e803000000000000204e03040000000001000000000000000000000000000000',
    checkpoint: '0/402A920',
    minRecoveryEnd: { timeline: 1, lsn: '0/4034E20' },
  },
  {
    state: 'in archive recovery, after a clone',
    bytes:
      '502c44592a67066b1405000025770d0c05000000000000002e67066b000000006000000300000000280000030000000001000000010000000100000000000000dd02000000000000034000000100000000000000cd020000010000000100000001000000000000002d67066b000000000000000000000000dd02000000000000e803000000000000000100030000000001000000000000000000000000000000',
    checkpoint: '0/3000060',
    minRecoveryEnd: { timeline: 1, lsn: '0/3000100' },
  },
]

describe('pg_control', () => {
  test.each(CASES)('of a server that is $state', ({ bytes, checkpoint, minRecoveryEnd }) => {
    expect(parseControlFile(Buffer.from(bytes, 'hex'))).toEqual({
      systemIdentifier: '7711964843502480464',
      isShutDown: false,
      checkpointLsn: parseLsn(checkpoint),
      checkpointTimeline: 1,
      minRecoveryEnd: minRecoveryEnd === null ? null : { ...minRecoveryEnd, lsn: parseLsn(minRecoveryEnd.lsn) },
    })
  })

  test.each([
    [1, true],
    [2, false],
    [6, false],
  ])('with the state %i: shut down as a primary is %s', (state, isShutDown) => {
    const bytes = Buffer.from(CASES[0]!.bytes, 'hex')
    bytes.writeUInt32LE(state, 16)
    expect(parseControlFile(bytes)).toMatchObject({ isShutDown })
  })

  test.each([
    ['empty', ''],
    ['cut', CASES[0]!.bytes.slice(0, 280)],
    ['of the other byte order', '016bbe94b5e5666e000005140c0d77250000000100000000'.padEnd(320, '0')],
  ])('that is %s cannot be read', async (_, bytes) => {
    await catchLabError('NODE_FAILED', () => parseControlFile(Buffer.from(bytes, 'hex')))
  })
})
