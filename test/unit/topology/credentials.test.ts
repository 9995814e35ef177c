import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseConninfo } from '../../../src/postgres/conninfo.ts'
import { faultIn, initdbArguments } from '../../../src/topology/credentials.ts'

const GOOD = {
  ...{ POSTGRES_USER: 'postgres', POSTGRES_PASSWORD: 'one', POSTGRES_DB: 'testdb', POSTGRES_INITDB_ARGS: '' },
  ...{ REPLICATION_USER: 'replicator', REPLICATION_PASSWORD: 'two', LAB_USER: 'lab', LAB_PASSWORD: 'three' },
  ...{ CLUSTER_NODES: 'a,b', PRIMARY_CONNINFO: 'host=a,b.x user=replicator target_session_attrs=primary' },
}
const with_ = (changes: Readonly<Record<string, string>>): Readonly<Record<string, string>> => ({ ...GOOD, ...changes })

describe('a name', () => {
  test.each(['Postgres', 'Admin', 'é', '_x', 'my-db', 'a.b@c', 'a'.repeat(63)])('may be %j', name => {
    for (const variable of ['POSTGRES_USER', 'LAB_USER', 'POSTGRES_DB'])
      expect(faultIn(with_({ [variable]: name }))).toBeUndefined()
  })

  test.each([
    ...[
      '',
      'my user',
      'a\\b',
      'a;b',
      'a\nb',
      "a'b",
      'a"b',
      'a=b',
      'host=evil',
      'postgresql://x',
      'x host=evil',
      '+group',
    ],
    ...['/regex', '1st', '-c', '$x', 'a:b', 'a,b', 'a'.repeat(64), 'é'.repeat(32)],
  ])('cannot be %j', name => {
    for (const variable of ['POSTGRES_USER', 'REPLICATION_USER', 'LAB_USER', 'POSTGRES_DB']) {
      const fault = faultIn(with_({ [variable]: name }))
      expect(fault?.fact).toBe(`${variable} is ${JSON.stringify(name)}`)
      expect(fault?.hint).toContain('begins with a letter')
    }
  })

  test.each([
    { POSTGRES_DB: 'template1' },
    { POSTGRES_DB: 'template0' },
    { POSTGRES_USER: 'pg_admin' },
    { LAB_USER: 'public' },
    { LAB_USER: 'postgres' },
    { REPLICATION_USER: 'lab' },
  ])('is one that PostgreSQL or the lab has already: %j', changes => {
    expect(faultIn(with_(changes))?.fact).toContain(Object.keys(changes)[0])
  })
})

describe('a password', () => {
  test.each(["it's", 'two words', ' x ', ':\\:', '"$`{}#', 'naïve', '日本', '€'])('may be %j', password => {
    expect(faultIn(with_({ LAB_PASSWORD: password }))).toBeUndefined()
  })

  test.each([
    'a\nb',
    'a\tb',
    'a\r',
    '\u007f',
    'a\u00a0b',
    'a\u00adb',
    'ﬁ',
    'ª',
    'e\u0301',
    '\u200b',
    '\ufeffx',
    '①',
    '\u3000',
  ])('cannot be %j, and is not told', password => {
    for (const variable of ['POSTGRES_PASSWORD', 'REPLICATION_PASSWORD', 'LAB_PASSWORD']) {
      const fault = faultIn(with_({ [variable]: password }))
      expect(fault?.fact).toContain(variable)
      expect(`${fault?.fact}${fault?.hint}`).not.toContain(password)
    }
  })

  test('of printable ASCII is always one', () => {
    fc.assert(fc.property(fc.string(), password => faultIn(with_({ POSTGRES_PASSWORD: password })) === undefined))
  })
})

describe('arguments of initdb', () => {
  test.each([
    ['--data-checksums', ['--data-checksums']],
    [`--locale-provider=icu --icu-locale="en US"  -k`, ['--locale-provider=icu', '--icu-locale=en US', '-k']],
    ["-c 'work_mem=8 MB' --wal-segsize=16", ['-c', 'work_mem=8 MB', '--wal-segsize=16']],
  ])('may be %s', (text, words) => {
    expect(faultIn(with_({ POSTGRES_INITDB_ARGS: text }))).toBeUndefined()
    expect(initdbArguments({ POSTGRES_INITDB_ARGS: text })).toEqual(words)
  })

  test.each([
    ...[
      '--wal-segsize=1',
      '--waldir=/x',
      '-X /x',
      '-X/x',
      '--pgdata=/x',
      '-D/x',
      '--username=x',
      '-U x',
      '--pwfile=/x',
      '-W',
    ],
    ...["--locale='C", 'a; rm -rf /', '$(id)', 'a && b', '`id`', 'a > b'],
  ])('cannot be %s', text => {
    expect(faultIn(with_({ POSTGRES_INITDB_ARGS: text }))?.fact).toContain('POSTGRES_INITDB_ARGS')
  })
})

describe('PRIMARY_CONNINFO', () => {
  test.each([
    ['host=a user=replicator target_session_attrs=primary', 'no host for b'],
    ['host=a,bb user=replicator target_session_attrs=primary', 'no host for b'],
    ['host=a,b user=other target_session_attrs=primary', 'connects as "other"'],
    ['host=a,b target_session_attrs=primary', 'connects as ""'],
    ['host=a,b user=replicator', 'target_session_attrs=primary'],
    ['host=a,b user=replicator target_session_attrs=any', 'target_session_attrs=primary'],
  ])('cannot be %s', (text, fact) => {
    expect(faultIn(with_({ PRIMARY_CONNINFO: text }))?.fact).toContain(fact)
  })

  test('has no parameter that a name has brought into it', () => {
    fc.assert(
      fc.property(fc.string(), user => {
        const conninfo = `host=a,b user=${user} target_session_attrs=primary`
        if (faultIn(with_({ REPLICATION_USER: user, PRIMARY_CONNINFO: conninfo })) !== undefined) return
        expect([...parseConninfo(conninfo).keys()]).toEqual(['host', 'user', 'target_session_attrs'])
      }),
    )
  })
})
