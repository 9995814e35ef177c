import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { nodeNamed, type Topology } from '../../../src/topology/topology.ts'
import type { Variables } from '../../../src/topology/compose/interpolation.ts'
import { compose, primary, replica1, service, withEnvironment } from '../../support/a-compose-file.ts'
import { catchLabError } from '../../support/catch-lab-error.ts'
import { parseTopology, readTopology } from '../../support/topology.ts'

const FILE = '/lab/docker-compose.yml'
const parse = (text: string, variables: Variables = {}): Topology => parseTopology(text, { file: FILE, variables })

describe("the lab's own docker-compose.yml", () => {
  const file = fileURLToPath(new URL('../../../docker-compose.yml', import.meta.url))

  test('gives what the guides promise, when nothing is set', async () => {
    const topology = await readTopology({ file, environment: {} })
    expect(topology).toMatchObject({
      file,
      database: 'testdb',
      superuser: { user: 'postgres', password: 'postgres' },
      replication: { user: 'replicator', password: 'replicator_password' },
      lab: { user: 'lab', password: 'lab_password' },
    })
    expect(
      topology.nodes.map(({ name, containerName, firstStart, client }) => ({
        name,
        containerName,
        firstStart,
        ...client,
      })),
    ).toEqual([
      { name: 'primary', containerName: 'pg_primary', firstStart: 'initdb', host: '127.0.0.1', port: 5432 },
      { name: 'replica1', containerName: 'pg_replica1', firstStart: 'clone', host: '127.0.0.1', port: 5433 },
      { name: 'replica2', containerName: 'pg_replica2', firstStart: 'clone', host: '127.0.0.1', port: 5434 },
    ])
  })

  test('runs the same settings on every node, on a volume of its own', async () => {
    const { nodes } = await readTopology({ file, environment: {} })
    for (const node of nodes) {
      expect(node.settings).toContain('--wal_level=replica')
      expect(node.settings).toEqual(nodes[0]!.settings)
      expect(node.settings).not.toContain('postgres')
      expect(node.data).toEqual({ volume: `${node.name}-data`, mountedAt: '/var/lib/postgresql', directory: 'pgdata' })
      expect(node.binds['/replica-entrypoint']).toBe(
        fileURLToPath(new URL('../../../replica-entrypoint', import.meta.url)),
      )
    }
  })

  test('names every node in CLUSTER_NODES and as a host in PRIMARY_CONNINFO', async () => {
    const { nodes, replication } = await readTopology({ file, environment: { REPLICATION_USER: 'someone' } })
    const names = nodes.map(({ name }) => name)
    for (const { environment } of nodes) {
      expect(environment['CLUSTER_NODES']?.split(',')).toEqual(names)
      expect(environment['PRIMARY_CONNINFO']).toContain(`host=${names.map(name => `${name}.replication`).join(',')} `)
      expect(environment['PRIMARY_CONNINFO']).toContain(`user=${replication.user} `)
    }
    expect(replication.user).toBe('someone')
  })

  test('takes any password from the environment as it is', async () => {
    const password = `it's "my" \${secret} $$ \\o/ #1`
    const topology = await readTopology({
      file,
      environment: { POSTGRES_PASSWORD: password, PRIMARY_PORT: '6432', CONTAINER_PREFIX: 'x' },
    })
    expect(topology.superuser.password).toBe(password)
    expect(topology.nodes[0]).toMatchObject({ containerName: 'x_primary', client: { port: 6432 } })
    expect(topology.nodes[0]!.environment['POSTGRES_PASSWORD']).toBe(password)
  })
})

describe('readTopology', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'topology-'))
    await writeFile(join(folder, 'docker-compose.yml'), compose({ primary, replica1 }))
  })
  afterEach(() => rm(folder, { recursive: true }))
  const read = (environment: Variables = {}): Promise<Topology> =>
    readTopology({ file: join(folder, 'docker-compose.yml'), environment })

  test('says where there is no file, and how to name one', async () => {
    const missing = join(folder, 'nowhere', 'docker-compose.yml')
    const error = await catchLabError('COMPOSE_FILE_MISSING', () => readTopology({ file: missing, environment: {} }))
    expect(error.message).toContain(missing)
    expect(error.hint).toContain('--file')
    expect(error.cause).toMatchObject({ code: 'ENOENT' })
  })

  test.each([
    // What `docker compose config` reads from the same line.
    ['POSTGRES_PASSWORD=secret', 'secret'],
    ['POSTGRES_PASSWORD="two words"', 'two words'],
    [`POSTGRES_PASSWORD='pa$word'`, 'pa$word'],
    [`POSTGRES_PASSWORD='pa$$word'`, 'pa$$word'],
    [`POSTGRES_PASSWORD='\${NOT_A_VARIABLE}'`, '${NOT_A_VARIABLE}'],
    [`POSTGRES_PASSWORD='back\\slash "quoted" #1'`, 'back\\slash "quoted" #1'],
    [`POSTGRES_PASSWORD="it's"`, "it's"],
    ['POSTGRES_PASSWORD=a#b', 'a#b'],
    ['POSTGRES_PASSWORD=a #b', 'a'],
    [String.raw`POSTGRES_PASSWORD="a\\b\"c"`, String.raw`a\b"c`],
    [String.raw`POSTGRES_PASSWORD='it\'s'`, "it's"],
    ['# nothing but a comment', 'postgres'],
    ['POSTGRES_PASSWORD=', 'postgres'],
  ])('reads the .env beside the file: %s', async (line, expected) => {
    await writeFile(join(folder, '.env'), `${line}\n`)
    await expect(read()).resolves.toMatchObject({ superuser: { password: expected } })
  })

  test('lets the environment win over .env', async () => {
    await writeFile(join(folder, '.env'), 'POSTGRES_PASSWORD=from-the-file\n')
    const topology = await read({ POSTGRES_PASSWORD: 'from-the-environment' })
    expect(topology.superuser.password).toBe('from-the-environment')
    expect(topology.variables['POSTGRES_PASSWORD']).toBe('from-the-environment')
  })

  test('keeps the value of .env where the environment has the name without a value', async () => {
    await writeFile(join(folder, '.env'), 'POSTGRES_PASSWORD=from-the-file\n')
    await expect(read({ POSTGRES_PASSWORD: undefined })).resolves.toMatchObject({
      superuser: { password: 'from-the-file' },
    })
  })

  test('reports a .env that cannot be read', async () => {
    await mkdir(join(folder, '.env'))
    const error = await catchLabError('COMPOSE_FILE_INVALID', read)
    expect(error.message).toContain('.env')
    expect(error.hint).toBeDefined()
  })
})

describe('parseTopology', () => {
  test('puts the service that makes the database first, and keeps the order of the others', () => {
    const topology = parse(compose({ replica1, primary, replica2: service('replica2', 5434) }))
    expect(topology.nodes.map(({ name }) => name)).toEqual(['primary', 'replica1', 'replica2'])
  })

  test('passes over services that are no nodes', () => {
    const topology = parse(compose({ primary, replica1, pgadmin: { image: 'pgadmin', ports: ['80'] } }))
    expect(topology.nodes).toHaveLength(2)
  })

  test('names the project by COMPOSE_PROJECT_NAME, else by the file', () => {
    const text = compose({ primary }, { name: '${PREFIX:-my}-lab' })
    expect(parse(text).project).toBe('my-lab')
    expect(parse(text, { COMPOSE_PROJECT_NAME: '' }).project).toBe('my-lab')
    expect(parse(text, { COMPOSE_PROJECT_NAME: 'other' }).project).toBe('other')
  })

  test('reads the long and the short spelling alike', () => {
    const long = {
      ...primary,
      environment: Object.entries(primary.environment).map(([name, value]) => `${name}=${String(value)}`),
      ports: [{ target: 5432, published: '5432', host_ip: '127.0.0.1' }],
      volumes: [
        { type: 'volume', source: 'primary-data', target: '/var/lib/postgresql' },
        { type: 'bind', source: './replica-entrypoint', target: '/replica-entrypoint', read_only: true },
      ],
    }
    expect(parse(compose({ primary: long })).nodes).toEqual(parse(compose({ primary })).nodes)
  })

  test('keeps what follows the first = of a listed variable', () => {
    const listed = [
      ...Object.entries(primary.environment).map(([name, value]) => `${name}=${String(value)}`),
      'OPTIONS=a=b=',
    ]
    expect(parse(compose({ primary: { ...primary, environment: listed } })).nodes[0]!.environment['OPTIONS']).toBe(
      'a=b=',
    )
  })

  test('gives back any password that the file holds with its dollar signs doubled', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom("'", '"', '$', '\\', ' ', '{', '}', ':', '#', 'a', 'é') }),
        password => {
          fc.pre(password !== '')
          const written = withEnvironment(primary, { POSTGRES_PASSWORD: password.replaceAll('$', '$$$$') })
          expect(parse(compose({ primary: written })).superuser.password).toBe(password)
        },
      ),
    )
  })

  test('makes no YAML of a value, and no variable of it either', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), password => {
        expect(parse(compose({ primary }), { POSTGRES_PASSWORD: password }).superuser.password).toBe(password)
      }),
    )
  })

  test('names a variable that must have a value', async () => {
    const error = await catchLabError('UNKNOWN_VARIABLE', () =>
      parse(compose({ primary: { ...primary, image: '${IMAGE:?}' } })),
    )
    expect(error.message).toContain('IMAGE')
    expect(error.hint).toContain('.env')
  })
})

describe('a volume without a name', () => {
  test('is not taken for the one that holds PGDATA', () => {
    const topology = parse(
      compose({ primary: { ...primary, volumes: ['/var/cache', ...(primary['volumes'] as string[])] } }),
    )
    expect(topology.nodes[0]!.data).toEqual({
      volume: 'primary-data',
      mountedAt: '/var/lib/postgresql',
      directory: 'pgdata',
    })
  })
})

describe('nodeNamed', () => {
  const topology = parse(compose({ primary: { ...primary, container_name: 'pg_primary' }, replica1 }))

  test('finds a node by its service or its container', () => {
    expect(nodeNamed(topology, 'primary')).toBe(topology.nodes[0])
    expect(nodeNamed(topology, 'pg_primary')).toBe(topology.nodes[0])
  })

  test('names the nodes there are', async () => {
    const error = await catchLabError('UNKNOWN_NODE', () => nodeNamed(topology, 'replica9'))
    expect(error.message).toContain('replica9')
    expect(error.hint).toContain('primary, replica1')
  })
})
