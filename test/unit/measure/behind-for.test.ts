import { describe, expect, test } from 'vitest'
import { behindForMs, withPosition, type PrimaryPosition } from '../../../src/measure/behind-for.ts'
import type { Lsn } from '../../../src/postgres/lsn.ts'

const lsn = (value: number): Lsn => BigInt(value) as Lsn
const seen = (
  ...positions: readonly (readonly [at: number, lsn: number, timeline?: number])[]
): readonly PrimaryPosition[] =>
  positions.reduce<readonly PrimaryPosition[]>(
    (all, [at, position, timeline = 1]) => withPosition(all, { at, currentLsn: lsn(position), timeline }),
    [],
  )
const standby = (askedAt: number, replayed: number, timeline = 1): Parameters<typeof behindForMs>[1] => ({
  ...{ askedAt, replayLsn: lsn(replayed), timeline },
})

describe('for how long a standby has been behind', () => {
  test('counts from when the primary was first seen past what it has replayed', () => {
    const positions = seen([0, 100], [1000, 200], [2000, 300])
    expect(behindForMs(positions, standby(2000, 100))).toBe(1000)
    expect(behindForMs(positions, standby(5000, 100))).toBe(4000)
    expect(behindForMs(positions, standby(2500, 250))).toBe(500)
  })

  test('is 0 when it has everything, also when the primary has been idle for long', () => {
    expect(behindForMs(seen([0, 100], [1000, 200], [900_000, 200]), standby(900_000, 200))).toBe(0)
  })

  test('does not count the time before the write that it lacks', () => {
    expect(behindForMs(seen([0, 100], [900_000, 100], [900_500, 200]), standby(901_000, 100))).toBe(500)
  })

  test('is never negative: the standby may have been asked before the primary had answered', () => {
    expect(behindForMs(seen([1000, 200]), standby(995, 100))).toBe(0)
  })

  test('is unknown on another timeline than the primary, and before a primary was seen', () => {
    expect(behindForMs(seen([0, 100], [1000, 150, 2]), standby(2000, 100))).toBeUndefined()
    expect(behindForMs([], standby(0, 0))).toBeUndefined()
  })

  test('forgets the positions of an older timeline, and what did not change', () => {
    expect(seen([0, 100], [1000, 150, 2], [2000, 150, 2])).toEqual([{ at: 1000, currentLsn: lsn(150), timeline: 2 }])
  })
})
