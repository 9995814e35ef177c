import { describe, expect, test } from 'vitest'
import { compose, primary, replica1, service, withEnvironment } from '../../support/a-compose-file.ts'
import { catchLabError } from '../../support/catch-lab-error.ts'
import { parseTopology } from '../../support/topology.ts'

const FILE = '/lab/docker-compose.yml'
const parse = (text: string): unknown => parseTopology(text, { file: FILE })
const invalid = async (changes: Readonly<Record<string, unknown>>): Promise<string> => {
  const error = await catchLabError('COMPOSE_FILE_INVALID', () => parse(compose({ primary, replica1, ...changes })))
  expect(error.hint, 'it says what to do').toBeDefined()
  return error.message
}

describe('what the lab cannot run', () => {
  test.each([
    ['an open bracket', 'services: ['],
    ['an unknown alias', 'services: *nothing'],
    ['a merge with what is no mapping', 'services: { primary: { <<: 5 } }'],
    ['a key that is there twice', 'services: {}\nservices: {}'],
    [
      'aliases without end',
      `a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [${'*a, '.repeat(9)}]\nc: &c [${'*b, '.repeat(9)}]\nservices: [${'*c, '.repeat(9)}]`,
    ],
  ])('is no YAML: %s', async (_, text) => {
    const error = await catchLabError('COMPOSE_FILE_INVALID', () => parse(text))
    expect(error.message).toContain(FILE)
    expect(error.hint).toBeDefined()
  })

  test.each([
    '',
    'text',
    '[]',
    'services: []',
    'services:',
    '{}',
    'services: { primary: 5 }',
    'services: { primary: { ports: 5432 } }',
  ])('is no compose file: %j', async text => {
    await catchLabError('COMPOSE_FILE_INVALID', () => parse(text))
  })

  test('has no primary', async () => {
    const error = await catchLabError('NO_PRIMARY_SERVICE', () => parse(compose({ replica1 })))
    expect(error.message).toContain('no service')
    expect(error.hint).toContain('FIRST_START: initdb')
  })

  test.each([
    ['nothing', 'services: {}'],
    ['the official image alone', 'services: { db: { image: "postgres:17", ports: ["5432:5432"] } }'],
    [
      'a pair of bitnami',
      'services: { master: { image: "bitnami/postgresql", environment: [POSTGRESQL_REPLICATION_MODE=master] } }',
    ],
    ['an application', 'services: { app: { build: ., depends_on: [db] }, db: { image: postgres, env_file: [] } }'],
  ])('is no file of a lab: %s; and what one needs is said in three lines', async (_, text) => {
    const error = await catchLabError('NO_PRIMARY_SERVICE', () => parse(text))
    expect(error.hint?.split('\n')).toHaveLength(3)
    for (const word of ['NODE_NAME', 'FIRST_START', 'PGDATA', 'PRIMARY_CONNINFO', 'docs/configuration.md'])
      expect(error.hint).toContain(word)
  })

  test('has two primaries, and says which', async () => {
    const second = withEnvironment(replica1, { FIRST_START: 'initdb' })
    const error = await catchLabError('NO_PRIMARY_SERVICE', () => parse(compose({ primary, replica1: second })))
    expect(error.message).toContain('primary, replica1')
  })

  test('publishes one port twice', async () => {
    expect(await invalid({ replica1: { ...replica1, ports: ['127.0.0.1:5432:5432'] } })).toMatch(
      /replica1: .*5432.* primary/,
    )
  })

  test.each([
    '127.0.0.1:0:5432',
    '127.0.0.1:65536:5432',
    '127.0.0.1:abc:5432',
    '127.0.0.1::5432',
    '5432',
    '5433-5435:5432',
    '5433:80',
    '-1:5432',
  ])('publishes its port as %s', async port => {
    expect(await invalid({ replica1: { ...replica1, ports: [port] } })).toContain('replica1')
  })

  test('publishes no port', async () => {
    expect(await invalid({ replica1: { ...replica1, ports: [] } })).toContain('replica1')
  })

  test.each(['/somewhere/else', '/var/lib/postgresql', '/var/lib/postgresql-other/pgdata'])(
    'keeps PGDATA outside its volume: %s',
    async pgdata => {
      expect(await invalid({ replica1: withEnvironment(replica1, { PGDATA: pgdata }) })).toContain(pgdata)
    },
  )

  test('keeps PGDATA in a folder of this machine, not in a named volume', async () => {
    await invalid({ replica1: { ...replica1, volumes: ['./data:/var/lib/postgresql'] } })
  })

  test('keeps PGDATA in a volume without a name', async () => {
    await invalid({ replica1: { ...replica1, volumes: ['/var/lib/postgresql'] } })
  })

  test('keeps the data of two nodes in one place', async () => {
    await invalid({ replica1: { ...replica1, volumes: ['primary-data:/var/lib/postgresql'] } })
  })

  test('names a node otherwise than its service', async () => {
    expect(await invalid({ replica1: withEnvironment(replica1, { NODE_NAME: 'replica2' }) })).toMatch(
      /replica1.*"replica2"/,
    )
  })

  test('names a node as no replication slot can be named', async () => {
    await invalid({ 'replica-1': service('replica-1', 5434) })
  })

  test.each(['FIRST_START', 'PGDATA'])('does not say %s', async name => {
    expect(await invalid({ replica1: withEnvironment(replica1, { [name]: undefined }) })).toMatch(
      new RegExp(`replica1.*${name}`),
    )
  })

  test.each([
    'POSTGRES_DB',
    'POSTGRES_USER',
    'POSTGRES_PASSWORD',
    'LAB_USER',
    'LAB_PASSWORD',
    'REPLICATION_USER',
    'REPLICATION_PASSWORD',
  ])('leaves %s out of the primary', async name => {
    expect(await invalid({ primary: withEnvironment(primary, { [name]: undefined }) })).toContain(name)
    expect(await invalid({ primary: withEnvironment(primary, { [name]: '' }) })).toContain(name)
  })

  test('says FIRST_START is something else', async () => {
    expect(await invalid({ replica1: withEnvironment(replica1, { FIRST_START: 'restore' }) })).toContain('restore')
  })
})
