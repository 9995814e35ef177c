import { describe, expect, test } from 'vitest'
import type { Lsn } from '../../../src/postgres/lsn.ts'
import { choosePrimary, type Known } from '../../../src/router/choose.ts'
import type { Look, PrimaryLook } from '../../../src/router/look.ts'

const seen = { system: '7', versionNumber: 170_000, askedAt: 1, seenAt: 2 }

const primary = (name: string, timeline: number, over: Partial<PrimaryLook> = {}) => ({
  name,
  look: {
    ...{ ...seen, role: 'primary' as const, started: name, timeline, flushLsn: 5n as Lsn, recoveredLsn: undefined },
    ...over,
  },
})

const standby = (name: string): { name: string; look: Look } => ({
  name,
  look: { ...seen, role: 'standby', started: name, replayLsn: 5n as Lsn, timeline: 1 },
})

const known = (over: Partial<Known> = {}): Known => ({ system: '7', timeline: 1, started: 'a', ...over })

const chosen = (hosts: Parameters<typeof choosePrimary>[0], of = known()): string => {
  const choice = choosePrimary(hosts, of)
  return choice.found?.name ?? (choice as { why: string }).why
}

describe('choosePrimary', () => {
  test('takes the one that says so', () => {
    expect(chosen([standby('b'), primary('a', 1), { name: 'c', look: undefined }])).toBe('a')
  })

  test('takes the latest timeline of two, and not the former primary that is back', () => {
    expect(chosen([primary('a', 1), primary('b', 2)])).toBe('b')
    expect(chosen([primary('a', 1)], known({ timeline: 2 }))).toMatch('timeline 2 was seen before')
  })

  test('two on one timeline: the one that it was, else nobody', () => {
    expect(chosen([primary('b', 2), primary('c', 2)], known({ timeline: 2, started: 'c' }))).toBe('c')
    expect(chosen([primary('b', 2), primary('c', 2)])).toMatch('nobody can tell')
  })

  test('another cluster is not taken, and two of them at the start are none', () => {
    expect(chosen([primary('a', 9, { system: '8' })])).toMatch('another cluster')
    const both = [primary('a', 1), primary('b', 1, { system: '8' })]
    expect(chosen(both, known({ system: undefined }))).toMatch('different clusters')
    expect(chosen(both)).toBe('a')
  })

  test('nobody says so', () => {
    expect(chosen([standby('b')])).toBe('no host says that it is the primary')
  })
})
