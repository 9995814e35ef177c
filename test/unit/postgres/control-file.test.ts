import { describe, expect, test } from 'vitest'
import { parseControlFile } from '../../../src/postgres/control-file.ts'
import { formatLsn } from '../../../src/postgres/lsn.ts'
import { catchLabError } from '../../support/catch-lab-error.ts'

/** The first bytes of three real ones of PostgreSQL 15, and what pg_controldata said of them. */
const CASES = [
  {
    state: 'shut down',
    bytes: '6e66e5b594be016b1405000025770d0c0100000000000000e0be016b0000000028621304000000002862130400000000',
    isShutDown: true,
    checkpoint: '0/4136228',
  },
  {
    state: 'shut down in recovery',
    bytes: '6e66e5b594be016b1405000025770d0c0200000000000000e0be016b00000000786113040000000038c8120400000000',
    isShutDown: false,
    checkpoint: '0/4136178',
  },
  {
    state: 'in production',
    bytes: '6e66e5b594be016b1405000025770d0c0600000000000000b1be016b00000000786113040000000038c8120400000000',
    isShutDown: false,
    checkpoint: '0/4136178',
  },
]

describe('pg_control', () => {
  test.each(CASES)('of a server that is $state', ({ bytes, isShutDown, checkpoint }) => {
    const control = parseControlFile(Buffer.from(bytes, 'hex'))
    expect({ ...control, checkpointLsn: formatLsn(control.checkpointLsn) }).toEqual({
      systemIdentifier: '7710653582951147118',
      isShutDown,
      checkpointLsn: checkpoint,
    })
  })

  test.each([
    ['empty', ''],
    ['cut', CASES[0]!.bytes.slice(0, 60)],
    ['of the other byte order', '016bbe94b5e5666e000005140c0d77250000000100000000'.padEnd(96, '0')],
  ])('that is %s cannot be read', async (_, bytes) => {
    await catchLabError('NODE_FAILED', () => parseControlFile(Buffer.from(bytes, 'hex')))
  })
})
