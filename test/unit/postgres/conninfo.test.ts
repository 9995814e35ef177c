import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { areEquivalent, formatConninfo, parseConninfo } from '../../../src/postgres/conninfo.ts'

const STANDARD =
  'host=primary.replication,replica1.replication port=5432 user=replicator connect_timeout=2 target_session_attrs=primary'
/** As pg_basebackup --write-recovery-conf writes it. */
const WRITTEN = `user=replicator passfile='/var/lib/postgresql/.pgpass' channel_binding=prefer connect_timeout=2 host='primary.replication,replica1.replication' port=5432 sslmode=prefer gssencmode=prefer krbsrvname=postgres target_session_attrs=primary load_balance_hosts=disable`

describe('a connection string', () => {
  test('is the same again when it is written and read, whatever is in it', () => {
    const keyword = fc.stringMatching(/^[a-z_]{1,12}$/)
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(keyword, fc.string()), { selector: ([name]) => name }), pairs => {
        expect([...parseConninfo(formatConninfo(new Map(pairs)))]).toEqual(pairs)
      }),
    )
  })

  test('is read with quotes, escapes and blanks around the equals sign', () => {
    expect([...parseConninfo(`host = db  password='a\\'b\\\\c' options=-c\\ x=1`)]).toEqual([
      ['host', 'db'],
      ['password', "a'b\\c"],
      ['options', '-c x=1'],
    ])
  })

  test('means the same when only defaults and the password file are added', () => {
    expect(areEquivalent(STANDARD, WRITTEN)).toBe(true)
  })

  test.each([
    ['another port', STANDARD.replace('5432', '5433')],
    ['one host less', STANDARD.replace(',replica1.replication', '')],
    ['any session', STANDARD.replace(' target_session_attrs=primary', '')],
    ['another name', `${STANDARD} application_name=other`],
    ['nothing', ''],
  ])('means something else with %s', (_, other) => {
    expect(areEquivalent(STANDARD, other)).toBe(false)
  })
})
