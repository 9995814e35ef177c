import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { Disposer } from '../../../src/dispose.ts'
import { Membership } from '../../../src/runtime/membership.ts'
import { formatMembers, MOST_REPLICAS, nextName, parseMembers, requireRoomFor } from '../../../src/topology/members.ts'
import { readSource } from '../../../src/topology/compose/source.ts'
import { topologyOf, withMembers } from '../../../src/topology/read.ts'
import type { Topology } from '../../../src/topology/topology.ts'
import type { Variables } from '../../../src/topology/compose/interpolation.ts'
import { catchLabError } from '../../support/catch-lab-error.ts'
import { parseTopology, readTopology } from '../../support/topology.ts'

const FILE = fileURLToPath(new URL('../../../docker-compose.yml', import.meta.url))
const described = (environment: Variables = {}): Promise<Topology> => readTopology({ file: FILE, environment })

const aName = fc.stringMatching(/^[a-z0-9_]{1,20}$/)
const aMember = fc.record({ name: aName, port: fc.integer({ min: 1, max: 65_535 }) })

describe('a member', () => {
  test('is the first standby once more: only its name, container, port, volume and alias are its own', async () => {
    const topology = withMembers(await described(), [{ name: 'replica3', port: 6000 }])
    const [replica1, replica3] = [topology.nodes[1]!, topology.nodes[3]!]
    expect(replica3).toEqual({
      ...replica1,
      name: 'replica3',
      containerName: 'pg_replica3',
      client: { host: '127.0.0.1', port: 6000 },
      data: { ...replica1.data, volume: 'replica3-data' },
      environment: { ...replica1.environment, NODE_NAME: 'replica3' },
    })
  })

  test('changes nothing of the others, or Compose would make their containers anew', async () => {
    const topology = await described()
    const more = withMembers(topology, [{ name: 'replica3', port: 6000 }])
    expect(more.nodes.slice(0, 3)).toEqual(topology.nodes)
    expect(withMembers(more, [])).toEqual(topology)
    expect(withMembers(topology, topology.members), 'the same object').toBe(topology)
  })

  test('may have another port by its variable, as the other nodes', async () => {
    const topology = withMembers(await described({ REPLICA3_PORT: '7000', CONTAINER_PREFIX: 'x' }), [
      { name: 'replica3', port: 6000 },
    ])
    expect(topology.nodes[3]).toMatchObject({ containerName: 'x_replica3', client: { port: 7000 } })
  })

  test('cannot have the port of another node', async () => {
    const topology = await described()
    const error = await catchLabError('COMPOSE_FILE_INVALID', () => withMembers(topology, [{ name: 'r', port: 5434 }]))
    expect(error.message).toBe('the lab cannot run service r: it has the port 5434, as replica2 has')
  })

  test('is a copy also of a service that is written otherwise: lists, long forms, no container name', () => {
    const long = (name: string, port: number, firstStart: string): unknown => ({
      image: 'postgres:17',
      command: ['postgres'],
      environment: Object.entries(environment(name, firstStart)).map(entry => entry.join('=')),
      ports: [{ host_ip: '127.0.0.2', published: port, target: 5432 }],
      volumes: [
        { type: 'volume', source: `${name}-data`, target: '/data/' },
        { type: 'bind', source: './x', target: '/x' },
      ],
    })
    const services = { a: long('a', 1001, 'initdb'), b: long('b', 1002, 'clone') }
    const text = stringify({ services, volumes: { 'a-data': {}, 'b-data': {} } })
    const { nodes } = withMembers(parseTopology(text, { file: '/lab/c.yml' }), [{ name: 'b2', port: 1003 }])
    expect(nodes[2]).toEqual({
      ...nodes[1],
      name: 'b2',
      client: { host: '127.0.0.2', port: 1003 },
      data: { volume: 'b2-data', mountedAt: '/data', directory: 'pgdata' },
      environment: { ...nodes[1]!.environment, NODE_NAME: 'b2' },
    })
    expect(nodes[2]!.containerName).toBeUndefined()
    expect(nodes[2]!.binds).toEqual({ '/x': '/lab/x' })
  })

  test('needs a standby to be like', async () => {
    const services = { a: { ...plain, environment: environment('a', 'initdb', 'a') } }
    const topology = parseTopology(stringify({ services, volumes: { 'a-data': {} } }), { file: '/lab/c.yml' })
    const error = await catchLabError('COMPOSE_FILE_INVALID', () => withMembers(topology, [{ name: 'b', port: 1 }]))
    expect(error.message).toContain('describes no standby')
  })
})

const environment = (name: string, firstStart: string, nodes = 'a,b'): Record<string, string> => ({
  ...{ NODE_NAME: name, FIRST_START: firstStart, PGDATA: '/data/pgdata', POSTGRES_DB: 'd', POSTGRES_USER: 'p' },
  ...{ CLUSTER_NODES: nodes, PRIMARY_CONNINFO: `host=${nodes} user=r target_session_attrs=primary` },
  ...{ POSTGRES_PASSWORD: 'p', LAB_USER: 'l', LAB_PASSWORD: 'l', REPLICATION_USER: 'r', REPLICATION_PASSWORD: 'r' },
})
const plain = { image: 'i', command: ['postgres'], ports: ['127.0.0.1:1000:5432'], volumes: ['a-data:/data'] }

describe('the second compose file', () => {
  test('is there only with members, and holds what Compose has read of the first standby', async () => {
    const source = await readSource({ file: FILE, environment: {} })
    const { model } = topologyOf(source)
    const environment = { ...model.services['replica1']?.environment, EXTRA: 'pa$$word' }
    const networks = { clients: null, replication: { aliases: ['replica1.replication'] } }
    const replica1 = { ...model.services['replica1'], environment, networks }
    const topology = topologyOf(source, { ...model, services: { ...model.services, replica1 } })
    expect(topology.membersFile).toBeUndefined()
    const text = withMembers(topology, [{ name: 'replica3', port: 6000 }]).membersFile!
    expect(parse(text)).toMatchObject({
      services: {
        replica3: {
          container_name: 'pg_replica3',
          environment: { NODE_NAME: 'replica3', FIRST_START: 'clone', EXTRA: 'pa$$$$word' },
          ports: [{ host_ip: '127.0.0.1', published: '6000', target: 5432 }],
          networks: { clients: null, replication: { aliases: ['replica3.replication'] } },
          volumes: [
            { type: 'volume', source: 'replica3-data', target: '/var/lib/postgresql' },
            { type: 'bind', target: '/replica-entrypoint' },
          ],
        },
      },
      volumes: { 'replica3-data': {} },
    })
    expect(text).not.toContain('replica1-data')
  })
})

describe('the next name', () => {
  test('goes on in the row, and takes what has become free', async () => {
    const topology = await described()
    expect(nextName(topology)).toBe('replica3')
    const three = [3, 4, 5].map(at => ({ name: `replica${at}`, port: 6000 + at }))
    expect(nextName(withMembers(topology, three))).toBe('replica6')
    expect(nextName(withMembers(topology, three.slice(1)))).toBe('replica3')
  })

  test('is always one that can be added, up to ten replicas, and no further', async () => {
    let topology = await described()
    while (topology.nodes.length <= MOST_REPLICAS) {
      const name = nextName(topology)
      requireRoomFor(name, topology)
      topology = withMembers(topology, [...topology.members, { name, port: 6000 + topology.nodes.length }])
    }
    expect(topology.nodes.at(-1)?.name).toBe('replica10')
    const error = await catchLabError('USAGE', () => requireRoomFor(nextName(topology), topology))
    expect(error.message).toBe('there are 10 replicas, and no more than 10 are allowed')
  })
})

describe('a name', () => {
  test.each(['primary', 'replica1', 'pg_replica1'])('%s is taken', async name => {
    const topology = await described()
    const error = await catchLabError('USAGE', () => requireRoomFor(name, topology))
    expect(error.message).toBe(`there is a node "${name}" already`)
  })

  test.each(['', 'Replica3', 'replica-3', 'r 3', 'r'.repeat(64)])('"%s" is no slot name', async name => {
    const topology = await described()
    await catchLabError('USAGE', () => requireRoomFor(name, topology))
  })
})

describe('what is kept of the members', () => {
  test('is read as it was written', () => {
    fc.assert(
      fc.property(fc.array(aMember), members => {
        expect(parseMembers(formatMembers(members), 'f')).toEqual(members)
      }),
    )
  })

  test.each([
    ['not JSON', ''],
    ['null', 'null'],
    ['another version', '{"version":2,"members":[]}'],
    ['no list', '{"version":1,"members":{}}'],
    ['a port that is none', '{"version":1,"members":[{"name":"r","port":70000}]}'],
    ['a name that is none', '{"version":1,"members":[{"name":"../r","port":7000}]}'],
    ['no member', '{"version":1,"members":[null]}'],
  ])('is refused when it is %s', async (_, text) => {
    const error = await catchLabError('STATE_INVALID', () => parseMembers(text, '/state/members.json'))
    expect(error.message).toContain('/state/members.json')
  })

  test('is seen by another command, without what the compose file describes by now', async () => {
    await using cleanUp = new Disposer()
    const folder = await mkdtemp(join(tmpdir(), 'members-'))
    cleanUp.defer(() => rm(folder, { recursive: true }))
    const file = join(folder, 'project', 'members.json')
    const [ours, others] = [
      await Membership.read(await described(), { file }),
      await Membership.read(await described(), { file }),
    ]
    await ours.add({ name: 'replica3', port: 6000 })
    expect(others.topology.members).toEqual([])
    const error = await catchLabError('USAGE', () => others.add({ name: 'replica3', port: 6001 }))
    expect(error.message).toBe('there is a node "replica3" already')
    await others.add({ name: 'replica4', port: 6001 })
    await ours.remove('replica3')
    expect(ours.topology.nodes.map(({ name }) => name)).toEqual(['primary', 'replica1', 'replica2', 'replica4'])

    const before = await readFile(file, 'utf8')
    await catchLabError('COMPOSE_FILE_INVALID', () => ours.add({ name: 'replica5', port: 5434 }))
    expect(await readFile(file, 'utf8'), 'what cannot be is not written').toBe(before)
    await writeFile(file, formatMembers([{ name: 'replica2', port: 1 }]))
    await ours.refresh()
    expect(ours.topology).toEqual(await described())
  })
})
