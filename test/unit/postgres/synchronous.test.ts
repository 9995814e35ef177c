import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  promisesDurability,
  synchronousCommits,
  synchronousStandbyNames,
  synchronousStandbys,
} from '../../../src/postgres/synchronous.ts'

describe('synchronous_standby_names', () => {
  test.each([
    ['asynchronous', ''],
    ['one', 'FIRST 1 ("primary", "replica1", "replica2")'],
    ['quorum', 'ANY 1 ("primary", "replica1", "replica2")'],
  ] as const)('for %s is %s', (standbys, value) => {
    expect(synchronousStandbyNames(standbys, ['primary', 'replica1', 'replica2'])).toBe(value)
  })

  test.each([
    ['pg-replica', '"pg-replica"'],
    ['Replica', '"Replica"'],
    ['2nd', '"2nd"'],
    ['a "b"', '"a ""b"""'],
    ['', '""'],
    ['first', '"first"'],
  ])('quotes %j as %s', (name, quoted) => {
    expect(synchronousStandbyNames('quorum', [name])).toBe(`ANY 1 (${quoted})`)
  })

  test('has every node in it, in its order, for any names', () => {
    // The scanner's rules: an identifier, or anything between double quotes with "" for one of them.
    const unquoted = (value: string): string[] =>
      [...value.matchAll(/"((?:[^"]|"")*)"|([a-z_][a-z0-9_]*)/g)].map(([, quoted, plain]) =>
        quoted === undefined ? plain! : quoted.replaceAll('""', '"'),
      )
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1 }), names => {
        const [, listed = ''] = /^FIRST 1 \((.*)\)$/s.exec(synchronousStandbyNames('one', names)) ?? []
        expect(unquoted(listed)).toEqual(names)
      }),
    )
  })
})

describe('a promise of durability', () => {
  test('needs a synchronous standby, and a commit that waits for it', () => {
    const promising = synchronousStandbys.flatMap(standbys =>
      synchronousCommits
        .filter(synchronousCommit => promisesDurability({ standbys, synchronousCommit }))
        .map(synchronousCommit => `${standbys} ${synchronousCommit}`),
    )
    expect(promising).toEqual([
      'one remote_write',
      'one on',
      'one remote_apply',
      'quorum remote_write',
      'quorum on',
      'quorum remote_apply',
    ])
  })

  test('that is given is kept by every setting which waits for more', () => {
    for (const standbys of synchronousStandbys) {
      const promises = synchronousCommits.map(synchronousCommit => promisesDurability({ standbys, synchronousCommit }))
      expect(promises).toEqual([...promises].sort((a, b) => Number(a) - Number(b)))
    }
  })
})
