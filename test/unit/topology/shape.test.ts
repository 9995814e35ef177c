import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { shaped, type Shape } from '../../../src/topology/shape.ts'
import { catchLabError } from '../../support/catch-lab-error.ts'
import { parseTopology } from '../../support/topology.ts'

const TEXT = readFileSync('docker-compose.yml', 'utf8')
const nodesOf = (shape: Shape, variables = {}) =>
  parseTopology(shaped(TEXT, '/lab', shape), { file: '/elsewhere/x.compose.yml', variables }).nodes

test('with two replicas and no settings is the same cluster as the shipped file', () => {
  const shipped = parseTopology(TEXT, { file: '/lab/docker-compose.yml' }).nodes
  expect(nodesOf({})).toEqual(shipped)
})

test.each([1, 2, 10])('has a primary and %i replicas, each with a port, a volume and a name', replicas => {
  const nodes = nodesOf({ replicas }, { REPLICA1_PORT: '7001' })
  const names = ['primary', ...Array.from({ length: replicas }, (_, at) => `replica${at + 1}`)]
  expect(nodes.map(({ name }) => name)).toEqual(names)
  expect(nodes[1]!.client.port).toBe(7001)
  expect(nodes.map(({ data }) => data.volume)).toEqual(names.map(name => `${name}-data`))
  for (const { environment, binds } of nodes) {
    expect(environment['CLUSTER_NODES']).toBe(names.join(','))
    expect(environment['PRIMARY_CONNINFO']).toContain(`host=${names.map(name => `${name}.replication`).join(',')} port`)
    expect(binds['/replica-entrypoint']).toBe('/lab/replica-entrypoint')
  }
})

test('gives every node the settings, as they are written', () => {
  const settings = { max_connections: 42, fsync: false, jit: true, 'my.own': "it's $1 and ${HOME}" }
  for (const node of nodesOf({ settings }))
    expect(node.settings.slice(-4)).toEqual([
      ...['--max_connections=42', '--fsync=off', '--jit=on'],
      "--my.own=it's $1 and ${HOME}",
    ])
})

test.each([
  { replicas: 0 },
  { replicas: 11 },
  { replicas: 1.5 },
  { settings: { 'a=b': 1 } },
  { settings: { '-c x': 1 } },
])('that cannot be is refused: %j', async shape => {
  await catchLabError('USAGE', () => shaped(TEXT, '/lab', shape))
})
