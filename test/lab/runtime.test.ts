/**
 * The contract of the port, src/runtime/runtime.ts: the same facts on every runtime.
 */
import { describe, expect, test } from 'vitest'
import { caughtUp, crash, failover, openLab, parseLsn, primaryOf, standbysOf } from '../../src/index.ts'
import { streaming, up, waitUntil, type Cluster } from '../../src/index.ts'
import { met, notMet, type Condition } from '../../src/index.ts'
import { run } from '../../src/runtime/command.ts'
import { catchLabError } from '../support/catch-lab-error.ts'
import {
  describeEachRuntime,
  ON_EVERY_RUNTIME,
  shareTestCluster,
  startTestCluster,
  TIMEOUT_MS,
  type TestRuntime,
} from '../support/runtimes.ts'
import { offline, serverProcesses } from '../support/servers.ts'

const LIMIT = { timeoutMs: TIMEOUT_MS }

describeEachRuntime('a runtime', keepsTheContract, ON_EVERY_RUNTIME)

function keepsTheContract(runtime: TestRuntime): void {
  const shared = shareTestCluster(runtime)

  test('goes from nothing to three nodes, each standby streaming through its own physical slot, and back; down twice is no error', async () => {
    await using cluster = await startTestCluster(runtime, { fromTemplate: false })
    const all = await cluster.status()
    expect(primaryOf(all).name).toBe('primary')
    expect(standbysOf(all).map(({ name }) => name)).toEqual(['replica1', 'replica2'])
    const slots = await cluster.query(
      'primary',
      `SELECT application_name, state, slot_name, slot_type FROM pg_stat_replication JOIN pg_replication_slots ON pid = active_pid ORDER BY 1`,
    )
    const through = { state: 'streaming', slot_type: 'physical' }
    expect(slots).toEqual([
      { application_name: 'replica1', slot_name: 'replica1', ...through },
      { application_name: 'replica2', slot_name: 'replica2', ...through },
    ])

    await cluster.runtime.freeze('replica1')
    await cluster.runtime.down({ keepData: false })
    expect(await cluster.runtime.hasCluster()).toBe(false)
    await cluster.runtime.down({ keepData: false })
    expect(await cluster.runtime.state('primary')).toBe('absent')
  })

  test('stop is a clean fast shutdown, and start brings back the same role', async () => {
    const cluster = await shared()
    const { timeline } = await cluster.primary()
    await using client = await cluster.connect('primary')
    for (const node of ['primary', 'replica1']) {
      await cluster.runtime.stop(node, 'fast')
      expect(await cluster.runtime.state(node)).toBe('stopped')
      expect(await cluster.runtime.log(node, { lines: 3 })).toContain('database system is shut down')
    }
    expect(client.lost.aborted, 'a fast shutdown disconnects its clients').toBe(true)
    for (const node of ['primary', 'replica1']) await cluster.runtime.start(node)
    await everyoneStreams(cluster)
    expect((await cluster.primary()).timeline).toBe(timeline)
    const since = (await cluster.runtime.log('primary', { lines: 100 })).split('database system is shut down').at(-1)
    expect(since, 'there was nothing to recover').not.toContain('redo starts at')

    // It waits for this client, and is left.
    await using _stays = await cluster.connect('replica1')
    await catchLabError('TIMEOUT', () => cluster.runtime.stop('replica1', 'smart', { timeoutMs: 1_000 }))
    expect(await cluster.runtime.state('replica1')).toBe('running')
    await cluster.runtime.stop('replica1', 'immediate')
    expect(await cluster.runtime.state('replica1')).toBe('stopped')
    const log = await cluster.runtime.log('replica1', { lines: 20 })
    expect(log).toMatch(/received smart shutdown request[^]*received immediate shutdown request/)
  })

  test('crash leaves no process of the node alive, and started again it recovers what it had acknowledged', async () => {
    const cluster = await shared()
    await cluster.query('primary', 'CREATE TABLE kept AS SELECT 1 AS id')
    const processes = await serverProcesses(cluster, 'primary')
    expect(processes.length).toBeGreaterThan(5)
    await cluster.runtime.crash('primary')
    expect(await cluster.runtime.state('primary')).toBe('stopped')
    expect(await stillAlive(cluster, 'primary', processes)).toEqual([])
    await catchLabError('UNREACHABLE', () => cluster.connect('primary'))
    await cluster.runtime.start('primary')
    await everyoneStreams(cluster)
    expect(await cluster.runtime.log('primary', { lines: 100 })).toContain('not properly shut down')
    expect(await cluster.query('primary', 'SELECT id FROM kept')).toEqual([{ id: 1 }])
  })

  test('a frozen node keeps its connections and answers nothing; thawed, it answers what it was asked meanwhile', async () => {
    const cluster = await shared()
    for (const node of ['primary', 'replica1']) await freezeAndThaw(cluster, node)
  })

  test('a fenced former primary never accepts writes', async () => {
    const cluster = await shared()
    await crash(cluster, 'primary')
    await cluster.runtime.fence('primary')
    await cluster.runtime.start('primary')
    await waitUntil(caughtUp(cluster, 'primary', ANY), LIMIT)
    const refusal = await cluster.attempt('primary', 'CREATE TABLE refused ()')
    expect(refusal?.code, 'read_only_sql_transaction').toBe('25006')
    await catchLabError('NO_PRIMARY', () => cluster.primary())
  })

  test('a discarded node is cloned anew by its next start, and another is not', async () => {
    const cluster = await shared()
    const standbys = ['replica1', 'replica2']
    for (const node of standbys) {
      await cluster.runtime.stop(node, 'fast')
      await offline(cluster, node, 'touch "$PGDATA/marker"')
    }
    await cluster.runtime.discard('replica1')
    for (const node of standbys) await cluster.runtime.start(node)
    await everyoneStreams(cluster)
    for (const node of standbys) await cluster.runtime.stop(node, 'fast')
    expect(await offline(cluster, 'replica1', 'ls "$PGDATA"')).not.toContain('marker')
    expect(await offline(cluster, 'replica2', 'ls "$PGDATA"')).toContain('marker')
  })

  test("a program run offline sees the stopped node's data, the scripts and the passwords, as the servers' user", async () => {
    const cluster = await shared()
    await cluster.runtime.stop('replica1', 'fast')
    expect(await offline(cluster, 'replica1', 'cat "$PGDATA/PG_VERSION"')).toMatch(/^1\d\n$/)
    await offline(cluster, 'replica1', '[ -O "$PGDATA" ] && [ -O "$PGPASSFILE" ] && [ -r "$SCRIPTS/rewind.sh" ]')
    const argv = ['bash', '-c', 'echo "$1"; echo "$2" >&2; exit 7', 'bash', 'a  b', "it's"] as const
    const result = await cluster.runtime.runOffline('replica1', [...argv])
    expect(result).toEqual({ exitCode: 7, stdout: 'a  b\n', stderr: "it's\n" })

    const { servers } = await cluster.runtime.traces()
    const interrupt = new AbortController()
    const program = ['bash', '-c', 'touch "$PGDATA/begun"; exec sleep 60'] as const
    const ended = catchLabError('INTERRUPTED', () =>
      cluster.runtime.runOffline('replica1', [...program], { signal: interrupt.signal }),
    )
    await waitUntil(hasFile(cluster, 'replica1', 'begun'), LIMIT)
    interrupt.abort()
    await ended
    await catchLabError('TIMEOUT', () => cluster.runtime.runOffline('replica1', [...program], { timeoutMs: 2_000 }))
    expect((await cluster.runtime.traces()).servers, 'nothing of it is left').toEqual(servers)
    await offline(cluster, 'replica1', 'rm "$PGDATA/begun"')
  })

  test('down that keeps the data, then up, keeps data and roles, also after a failover', async () => {
    const cluster = await shared()
    const { timeline } = await cluster.primary()
    await crash(cluster, 'primary')
    const { newPrimary } = await failover(cluster, 'primary', { ...LIMIT, to: 'replica2' })
    await cluster.query(newPrimary, 'CREATE TABLE kept AS SELECT 1 AS id')
    await cluster.runtime.down({ keepData: true })
    await catchLabError('NOT_RUNNING', () => cluster.primary())
    expect(await up(cluster, LIMIT)).toMatchObject({ name: newPrimary, timeline: timeline + 1 })
    expect(await cluster.query(newPrimary, 'SELECT id FROM kept')).toEqual([{ id: 1 }])
  })

  test('a cluster whose lab was killed can be taken over by another, and brought down', async () => {
    await using orphan = await startTestCluster(runtime)
    const processes = await serverProcesses(orphan, 'primary')
    const { variables } = orphan.topology
    await using heir = await openLab({ runtime: orphan.runtime.name, environment: variables })
    expect(await heir.runtime.hasCluster()).toBe(true)
    expect((await heir.cluster.primary()).name).toBe('primary')
    if (runtime === 'docker') await leaveOneOff(orphan)
    await up(heir.cluster, LIMIT)
    const { servers, files, expectedFiles } = await heir.runtime.traces()
    expect(servers).toEqual(['primary', 'replica1', 'replica2'])
    expect(files.filter(file => !expectedFiles.includes(file))).toEqual([])
    await heir.runtime.down({ keepData: false })
    expect(await stillAlive(orphan, 'primary', processes)).toEqual([])
    expect(await heir.runtime.hasCluster()).toBe(false)
  })

  test("the log gives the server's last lines, and can be followed", async () => {
    const cluster = await shared()
    const followed: string[] = []
    const end = new AbortController()
    const following = cluster.runtime.followLog('primary', chunk => followed.push(chunk), {
      signal: end.signal,
      lines: 1,
    })
    await cluster.query('primary', "DO $$ BEGIN RAISE LOG 'said by a test'; END $$")
    await waitUntil(
      seen('the line in the log', () => cluster.runtime.log('primary', { lines: 5 }), 'said by a test'),
      LIMIT,
    )
    await waitUntil(
      seen('the line as it is written', async () => followed.join(''), 'said by a test'),
      LIMIT,
    )
    end.abort()
    await following
    expect((await cluster.runtime.log('primary', { lines: 2 })).split('\n')).toHaveLength(2)
  })

  describe('passwords', () => {
    const password = `it's "a" $HOME \\ b:c`
    const environment = {
      POSTGRES_PASSWORD: `1${password}`,
      REPLICATION_PASSWORD: `2${password}`,
      LAB_PASSWORD: `3${password}`,
    }

    test('with quotes, spaces, dollars, backslashes and colons serve in every operation', async () => {
      await using cluster = await startTestCluster(runtime, { environment })
      expect(cluster.topology.lab.password).toBe(environment.LAB_PASSWORD)
      await cluster.query('primary', 'CREATE TABLE kept AS SELECT 1 AS id', { as: 'superuser' })
      await crash(cluster, 'primary')
      await failover(cluster, 'primary', { ...LIMIT, to: 'replica1' })
      expect(await up(cluster, LIMIT)).toMatchObject({ name: 'replica1', timeline: 2 })
      const others = { ...cluster.topology.variables, LAB_PASSWORD: 'another' }
      await using stranger = await openLab({ runtime: cluster.runtime.name, environment: others })
      await catchLabError('WRONG_PASSWORD', () => stranger.cluster.primary())
    })
  })
}

const ANY = parseLsn('0/0')

const hasFile = (cluster: Cluster, node: string, path: string): Condition<undefined> => ({
  what: `${path} in the data of ${node}`,
  observe: async () => ((await cluster.runtime.readData(node, path)) === undefined ? notMet('none') : met(undefined)),
})

async function everyoneStreams(cluster: Cluster): Promise<void> {
  for (const node of ['replica1', 'replica2']) await waitUntil(streaming(cluster, node, 'primary'), LIMIT)
}

async function freezeAndThaw(cluster: Cluster, node: string): Promise<void> {
  await using patient = await cluster.connect(node)
  await using impatient = await cluster.connect(node)
  await cluster.runtime.freeze(node)
  expect(await cluster.runtime.state(node)).toBe('frozen')
  const answer = patient.query('SELECT 1 AS one', [], LIMIT)
  await expect(impatient.query('SELECT 1', [], { timeoutMs: 300 })).rejects.toMatchObject({ code: 'ETIMEDOUT' })
  expect(patient.lost.aborted).toBe(false)
  await cluster.runtime.thaw(node)
  expect(await answer).toEqual([{ one: 1 }])
  expect(await cluster.runtime.state(node)).toBe('running')
}

/** As a lab leaves it that is killed while a program runs beside a node. */
async function leaveOneOff({ topology }: Cluster): Promise<void> {
  const labels = { project: topology.project, service: 'primary-offline', oneoff: 'True' }
  const flags = Object.entries(labels).flatMap(([name, value]) => ['--label', `com.docker.compose.${name}=${value}`])
  const argv = ['docker', 'create', ...flags, topology.nodes[0]!.image, 'true'] as const
  expect(await run(argv, { environment: process.env })).toMatchObject({ exitCode: 0 })
}

/** In Docker those ids mean something only while the container runs. */
async function stillAlive(cluster: Cluster, node: string, processes: readonly number[]): Promise<number[]> {
  if (cluster.runtime.name === 'docker') {
    const { exitCode } = await run(['docker', 'top', cluster.node(node).containerName!], { environment: process.env })
    return exitCode === 0 ? [...processes] : []
  }
  const { stdout } = await run(['ps', '-A', '-o', 'pid=,stat='], { environment: process.env })
  const alive = stdout.split('\n').flatMap(line => (/^\s*(\d+)\s+[^Z]/.exec(line) ? [Number.parseInt(line, 10)] : []))
  return processes.filter(pid => alive.includes(pid))
}

const seen = (what: string, read: () => Promise<string>, text: string) => ({
  what,
  observe: async () => {
    const output = await read()
    return output.includes(text) ? met(undefined) : notMet(output)
  },
})
