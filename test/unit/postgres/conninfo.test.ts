import fc from 'fast-check'
import pg from 'pg'
import { describe, expect, test } from 'vitest'
import {
  areEquivalent,
  connectionUrl,
  formatConninfo,
  hostsIn,
  parseConninfo,
  serverInUrl,
  withHosts,
} from '../../../src/postgres/conninfo.ts'
import { catchLabError } from '../../support/catch-lab-error.ts'

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

describe('withHosts', () => {
  const file = 'host=a,b port=5432 user=r connect_timeout=2 target_session_attrs=primary'

  test('writes a port that is the same for all once, and else one for each', () => {
    const at = (host: string, port: number): { host: string; port: number } => ({ host, port })
    expect(withHosts(file, [at('a', 5432), at('b', 5432)]), 'as in the file').toBe(file)
    expect(withHosts(file, [at('x', 1), at('x', 2)])).toBe(file.replace('a,b', 'x,x').replace('5432', '1,2'))
  })

  test('changes nothing but host and port', () => {
    const aPeer = fc.record({ host: fc.stringMatching(/^[a-z][a-z0-9.]{0,9}$/), port: fc.nat(65_535) })
    const rest = (text: string): string => text.replace(/host=\S+ port=\S+/, '')
    fc.assert(
      fc.property(fc.array(aPeer, { minLength: 1 }), peers => {
        const text = withHosts(file, peers)
        expect(rest(text)).toBe(rest(file))
        expect(hostsIn(text)).toEqual(peers)
      }),
    )
  })
})

test('a URL means the same to a client, whatever is in a name or a password', () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  // node-postgres decodes what is in a database's name but for these: it leaves %23 as it is, and libpq makes # of it.
  const name = text.filter(value => !/[#$&+,/:;=?@]/.test(value))
  fc.assert(
    fc.property(
      fc.constantFrom('127.0.0.1', '::1', 'localhost'),
      text,
      text,
      name,
      (host, user, password, database) => {
        const login = { host, port: 15_432, user, password, database }
        const client = new pg.Client({ connectionString: connectionUrl(login) })
        expect(client).toMatchObject({ port: 15_432, user, password, database })
        expect(client.host.replace(/^\[|\]$/g, '')).toBe(host)
      },
    ),
  )
})

describe('a URL', () => {
  test('names a server by its host and port, and tells nothing of its password', () => {
    expect(serverInUrl('postgresql://app:secret@db1/app?sslmode=require')).toBe('db1:5432')
    expect(serverInUrl('postgres://app@[::1]:6432/app')).toBe('[::1]:6432')
  })

  test.each(['db1:5432', 'postgresql:///app?host=/tmp', 'mysql://db1/app', 'postgresql://u:sec ret@'])(
    '%s is none',
    async url => {
      const { message, hint } = await catchLabError('USAGE', () => serverInUrl(url))
      expect(message).toMatch(/^a server is named by a URL/)
      expect(`${message}${hint}`).not.toContain('sec ret')
    },
  )

  test('with a password that is not encoded says so, and not which', async () => {
    const { message, hint } = await catchLabError('USAGE', () => serverInUrl('postgresql://app:100%@db1/app'))
    expect(message).toBe('the URL of db1 has a % that stands for nothing')
    expect(`${message}${hint}`).not.toContain('100%')
    expect(serverInUrl('postgresql://app:100%25@db1/app')).toBe('db1:5432')
  })

  test('of several servers is to be given as several', async () => {
    const { message } = await catchLabError('USAGE', () => serverInUrl('postgresql://app@db1,db2/app'))
    expect(message).toBe('db1,db2 is several servers in one URL')
  })
})
