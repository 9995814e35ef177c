/**
 * Replicas that are added while everything runs, and removed: who is disturbed (nobody), who knows of them (everybody), and
 * what is left of them (nothing).
 */
import { existsSync, readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { addReplica, crash, failover, openLab, removeReplica, startWriter, up } from '../../src/index.ts'
import { hasRole, healthy, waitUntil } from '../../src/index.ts'
import type { Cluster, Endpoint } from '../../src/index.ts'
import type { StatusDocument } from '../../src/report/status.ts'
import { parseConninfo } from '../../src/postgres/conninfo.ts'
import { run } from '../../src/runtime/command.ts'
import { catchLabError } from '../support/catch-lab-error.ts'
import { CliCluster, expectRefusal } from '../support/cli.ts'
import {
  ALSO_ON_DOCKER,
  describeEachRuntime,
  TEST_STATE_DIR,
  TIMEOUT_MS,
  type TestRuntime,
} from '../support/runtimes.ts'

const LIMIT = { timeoutMs: TIMEOUT_MS }

describeEachRuntime('a replica that is added', comesAndGoes, ALSO_ON_DOCKER)

function comesAndGoes(runtime: TestRuntime): void {
  test(
    'streams while the others go on, is known to every command, may become the primary, and leaves nothing',
    async () => {
      await using cli = await CliCluster.up(runtime)
      await using lab = await openLab({ environment: cli.environment })
      const { cluster } = lab

      await expectToLeaveNothingWhenInterrupted(cluster)
      await addTwoUnderLoad(cluster)
      const fourth = addressOf(cluster.runtime.peerEndpoint('replica4'))
      const { nodes } = (await cli.json('status')).document as StatusDocument
      expect(rolesAndSlots(nodes), 'as another process sees it').toEqual({
        primary: ['replica1', 'replica2', 'replica3', 'replica4'],
        ...{ replica1: 'streaming', replica2: 'streaming', replica3: 'streaming', replica4: 'streaming' },
      })
      expectRefusal(await cli.run('add-replica', 'replica4'), {
        exitCode: 2,
        fact: 'there is a node "replica4" already',
      })

      await crash(cluster, 'primary')
      await failover(cluster, 'primary', { to: 'replica3', ...LIMIT })
      await up(cluster, LIMIT)
      expect(rolesAndSlots(await cluster.status())).toEqual({
        replica3: ['primary', 'replica1', 'replica2', 'replica4'],
        ...{ primary: 'streaming', replica1: 'streaming', replica2: 'streaming', replica4: 'streaming' },
      })

      const described = await catchLabError('NOT_REMOVABLE', () => removeReplica(cluster, 'replica1', LIMIT))
      expect(described.message).toMatch(/^replica1 is described in .*docker-compose\.yml, and was not added$/)
      const primary = await catchLabError('NOT_REMOVABLE', () => removeReplica(cluster, 'replica3', LIMIT))
      expect(primary.message).toBe('replica3 is the primary, and only a standby can be removed')
      const removal = await cli.run('remove-replica', 'replica4')
      expect(removal.exitCode, removal.stderr).toBe(0)
      await up(cluster, LIMIT) // looks anew which nodes there are: another process has removed one
      expect(rolesAndSlots(await cluster.status())).toEqual({
        replica3: ['primary', 'replica1', 'replica2'],
        ...{ primary: 'streaming', replica1: 'streaming', replica2: 'streaming' },
      })
      for (const { name } of cluster.nodes) expect(peersIn(await conninfo(cluster, name)), name).not.toContain(fourth)

      await cluster.runtime.down({ keepData: true })
      await cluster.runtime.up(LIMIT)
      await waitUntil(hasRole(cluster, 'replica3', 'primary'), LIMIT)
      await waitUntil(healthy(cluster), LIMIT)
      expect(cluster.nodes.map(({ name }) => name)).toEqual(['primary', 'replica1', 'replica2', 'replica3'])
      expect((await cli.run('down')).exitCode).toBe(0)
      expect(await leftOf(cli)).toEqual([])
    },
    3 * TIMEOUT_MS,
  )
}

async function expectToLeaveNothingWhenInterrupted(cluster: Cluster): Promise<void> {
  const before = await Promise.all(cluster.nodes.map(({ name }) => conninfo(cluster, name)))
  const interrupt = new AbortController()
  const stopListening = cluster.onEvent(event => {
    if (event.kind === 'command' && event.node === 'replica3') interrupt.abort()
  })
  await catchLabError('INTERRUPTED', () => addReplica(cluster, { ...LIMIT, signal: interrupt.signal }))
  stopListening()
  expect(cluster.nodes.map(({ name }) => name)).toEqual(['primary', 'replica1', 'replica2'])
  expect((await cluster.primary()).slots.map(({ slotName }) => slotName)).toEqual(['replica1', 'replica2'])
  const after = await Promise.all(cluster.nodes.map(({ name }) => conninfo(cluster, name)))
  expect(after.map(peersIn)).toEqual(before.map(peersIn))
}

async function addTwoUnderLoad(cluster: Cluster): Promise<void> {
  const before = await startTimes(cluster)
  await using writer = await startWriter(cluster, { ratePerSecond: 200 })
  await writer.acknowledges(50, LIMIT)
  const third = await addReplica(cluster, LIMIT)
  const fourth = await addReplica(cluster, LIMIT)
  await writer.acknowledges(50, LIMIT)
  const { writes, connectionErrors } = await writer.stop()

  expect([third.name, fourth.name]).toEqual(['replica3', 'replica4'])
  expect(writes.filter(({ outcome }) => outcome.kind !== 'acknowledged')).toEqual([])
  expect(connectionErrors).toEqual([])
  expect(await startTimes(cluster), 'nobody was restarted').toMatchObject(before)
  const known = await Promise.all(cluster.nodes.map(({ name }) => conninfo(cluster, name)))
  const all = cluster.nodes.map(({ name }) => addressOf(cluster.runtime.peerEndpoint(name)))
  for (const text of known) expect(peersIn(text)).toEqual(all)
}

/** By node; a server that is started anew has another. */
async function startTimes(cluster: Cluster): Promise<Record<string, string>> {
  const question = 'SELECT pg_postmaster_start_time()::text AS at'
  const times = cluster.nodes.map(async ({ name }) => [
    name,
    (await cluster.query<{ at: string }>(name, question))[0]!.at,
  ])
  return Object.fromEntries(await Promise.all(times)) as Record<string, string>
}

async function conninfo(cluster: Cluster, node: string): Promise<string> {
  const question = "SELECT current_setting('primary_conninfo') AS text"
  return (await cluster.query<{ text: string }>(node, question, { as: 'superuser' }))[0]!.text
}

/** Whom a conninfo names; a port that is written once is that of each. */
function peersIn(text: string): string[] {
  const listed = (keyword: string): string[] => parseConninfo(text).get(keyword)!.split(',')
  const ports = listed('port')
  return listed('host').map((host, at) => addressOf({ host, port: Number(ports[at] ?? ports[0]) }))
}

const addressOf = ({ host, port }: Endpoint): string => `${host}:${port}`

/** The primary's slots, and what each standby does. */
function rolesAndSlots(all: StatusDocument['nodes']): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    all.map((node): [string, unknown] => {
      if (node.role === 'primary') return [node.name, node.slots.map(({ slotName }) => slotName)]
      return [node.name, node.role === 'standby' ? node.walReceiver?.status : node.role]
    }),
  )
}

/** What there is with the project's name: files, processes, containers, volumes. */
async function leftOf({ project, runtime, environment }: CliCluster): Promise<string[]> {
  const files = existsSync(TEST_STATE_DIR) ? readdirSync(TEST_STATE_DIR) : []
  const lists = [['ps', '-A', '-o', 'args=']]
  if (runtime === 'docker')
    lists.push(['docker', 'ps', '--all', '--format', '{{.Names}}'], ['docker', 'volume', 'ls', '--format', '{{.Name}}'])
  const found = await Promise.all(lists.map(argv => run(argv as [string, ...string[]], { environment })))
  const lines = found.flatMap(({ stdout }) => stdout.split('\n'))
  return [...files, ...lines].filter(line => line.includes(project))
}
