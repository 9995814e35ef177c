/**
 * The contract of the faults: what each does, looked at from outside; and that it heals, also twice, and after its node has
 * crashed meanwhile.
 */
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { blackHole, crash, cutFromWal, fillDisk, freeze, isolate, linkClients } from '../../src/index.ts'
import { caughtUp, changeSettings, failover, healthy, pauseReplay, slowNetwork } from '../../src/index.ts'
import { describeStatus } from '../../src/cluster/conditions.ts'
import { met, notMet, startWriter, streaming, up, waitUntil } from '../../src/index.ts'
import type { Cluster, Condition, Endpoint, Lsn, Writer } from '../../src/index.ts'
import { parseConninfo } from '../../src/postgres/conninfo.ts'
import { mountSmallDisk, whyNoSmallDisk, withSmallVolume } from '../support/small-disk.ts'
import { nodeTo, receivesNothing } from '../support/conditions.ts'
import { catchLabError } from '../support/catch-lab-error.ts'
import { ALSO_ON_DOCKER, describeEachRuntime, startTestCluster, TIMEOUT_MS } from '../support/runtimes.ts'

const LIMIT = { timeoutMs: TIMEOUT_MS }
/** A cluster is expensive, so each sees many faults, one after the other. */
const LONG = { timeout: 240_000 }
const BOTH_STANDBYS = ['replica1', 'replica2']

interface ReplicationFault {
  readonly name: string
  inflict(cluster: Cluster): Promise<AsyncDisposable>
  /** Nodes that replay nothing of what is written meanwhile; the other standbys replay all. */
  readonly standStill: readonly string[]
  /** Nodes that confirm nothing of it to the primary. */
  readonly unconfirmed: readonly string[]
  /** Whether nobody is told: what streams goes on saying so. */
  readonly isSilent: boolean
}

const REPLICATION_FAULTS: readonly ReplicationFault[] = [
  {
    name: 'the primary is isolated',
    inflict: cluster => isolate(cluster, 'primary', LIMIT),
    ...{ standStill: BOTH_STANDBYS, unconfirmed: BOTH_STANDBYS, isSilent: true },
  },
  {
    name: 'a standby is isolated',
    inflict: cluster => isolate(cluster, 'replica1', LIMIT),
    ...{ standStill: ['replica1'], unconfirmed: ['replica1'], isSilent: true },
  },
  {
    name: 'nothing reaches the primary',
    inflict: cluster => isolate(cluster, 'primary', { direction: 'in', ...LIMIT }),
    ...{ standStill: [], unconfirmed: BOTH_STANDBYS, isSilent: true },
  },
  {
    name: 'nothing reaches a standby',
    inflict: cluster => isolate(cluster, 'replica1', { direction: 'in', ...LIMIT }),
    ...{ standStill: ['replica1'], unconfirmed: ['replica1'], isSilent: true },
  },
  {
    name: 'replay is paused',
    inflict: cluster => pauseReplay(cluster, 'replica1', LIMIT),
    ...{ standStill: ['replica1'], unconfirmed: [], isSilent: true },
  },
  {
    name: 'a standby is cut from WAL',
    inflict: cluster => cutFromWal(cluster, ['replica1'], LIMIT),
    ...{ standStill: ['replica1'], unconfirmed: ['replica1'], isSilent: false },
  },
]

describeEachRuntime(
  'a fault',
  runtime => {
    test('of replication is felt by those it concerns and by no client, and is over when it heals', LONG, async () => {
      await using cluster = await startTestCluster(runtime)
      await using writer = await startWriter(cluster, { ratePerSecond: 100 })
      await writer.acknowledges(20, LIMIT)
      const before = await conninfos(cluster)
      for (const fault of REPLICATION_FAULTS) await feel(cluster, writer, fault)
      expect(await conninfos(cluster)).toEqual(before)

      const late = await slowNetwork(cluster, 'replica1', { towards: 'peers', latencyMs: 200, ...LIMIT })
      const writtenAt = performance.now()
      await waitUntil(caughtUp(cluster, 'replica1', await write(cluster)), { ...LIMIT, intervalMs: 1 })
      expect(performance.now() - writtenAt).toBeGreaterThanOrEqual(199)
      const link = cluster.links.peers.endpoint({ from: 'replica1', to: 'primary' })!
      // Locally every node, and everybody else, is 127.0.0.1.
      if (runtime === 'docker') expect(await greetingOf(link), 'of one for whom it was not made').toBe('')
      await healTwice(late)
      await waitUntil(healthy(cluster), LIMIT)
      expect(await conninfos(cluster)).toEqual(before)

      const { writes, connectionErrors } = await writer.stop()
      expect(writes.filter(({ outcome }) => outcome.kind !== 'acknowledged')).toEqual([])
      expect(connectionErrors).toEqual([])
      const shared = await catchLabError('UNSUPPORTED_FAULT', () => fillDisk(cluster, 'replica1'))
      expect(shared.message).toContain('it is also that of the data of primary, the data of replica2')
      await catchLabError('USAGE', () => blackHole(cluster, 'primary'))
      await catchLabError('USAGE', () =>
        slowNetwork(cluster, 'primary', { towards: 'clients', latencyMs: 1, ...LIMIT }),
      )
      await catchLabError('USAGE', () => slowNetwork(cluster, 'primary', { towards: 'peers', latencyMs: -1, ...LIMIT }))
    })

    test(
      'heals after its node has crashed; one of the network is noticed by the limits of the servers, and outlived by a failover',
      LONG,
      async () => {
        await using cluster = await startTestCluster(runtime)
        const frozen = await freeze(cluster, 'replica1')
        const written = await write(cluster)
        await waitUntil(caughtUp(cluster, 'replica2', written), LIMIT)
        const { replication } = await cluster.primary()
        const stuck = replication.find(({ applicationName }) => applicationName === 'replica1')
        expect(stuck, 'nobody was told').toMatchObject({ state: 'streaming' })
        expect(Number(stuck!.replayLsn)).toBeLessThan(Number(written))
        await healTwice(frozen)
        await waitUntil(caughtUp(cluster, 'replica1', written), LIMIT)

        const before = await conninfos(cluster)
        const faults = [
          await slowNetwork(cluster, 'replica1', { towards: 'peers', latencyMs: 10, ...LIMIT }),
          await isolate(cluster, 'replica1', LIMIT),
          await cutFromWal(cluster, ['replica1'], LIMIT),
          await pauseReplay(cluster, 'replica1', LIMIT),
          await freeze(cluster, 'replica1'),
        ]
        await crash(cluster, 'replica1')
        await catchLabError('NOT_RUNNING', () => freeze(cluster, 'replica1'))
        for (const fault of faults.reverse()) await healTwice(fault)
        await up(cluster, LIMIT)
        expect(await conninfos(cluster)).toEqual(before)
        await waitUntil(caughtUp(cluster, 'replica1', await write(cluster)), LIMIT)

        const settings = { wal_sender_timeout: '1s', wal_receiver_timeout: '1s' }
        for (const { name } of cluster.nodes) await changeSettings(cluster, name, { settings, ...LIMIT })
        const isolated = await isolate(cluster, 'primary', LIMIT)
        await write(cluster)
        await waitUntil(
          nodeTo(cluster, {
            node: 'primary',
            what: 'have noticed',
            is: s => s.role === 'primary' && s.replication.length === 0,
          }),
          LIMIT,
        )
        for (const name of BOTH_STANDBYS) await waitUntil(receivesNothing(cluster, name), LIMIT)

        await crash(cluster, 'primary')
        await failover(cluster, 'primary', { to: 'replica1', ...LIMIT })
        await waitUntil(streaming(cluster, 'replica2', 'replica1'), LIMIT)
        await healTwice(isolated)
        const healed = addressesIn(await conninfos(cluster, BOTH_STANDBYS))
        expect(healed, 'by itself, before up looks').toEqual(addressesIn(before).slice(1))
        await up(cluster, LIMIT)
        expect(addressesIn(await conninfos(cluster))).toEqual(addressesIn(before))

        // As a lab leaves it that was killed.
        await cluster.runtime.network.replication?.disconnect('replica2')
        await up(cluster, LIMIT)
        await waitUntil(caughtUp(cluster, 'replica2', await write(cluster)), LIMIT)

        // In primary_conninfo it stands before replica1, the primary, and a WAL receiver would wait for it for ever.
        await using _still = await freeze(cluster, 'primary')
        await using _slow = await slowNetwork(cluster, 'replica2', { towards: 'peers', latencyMs: 1, ...LIMIT })
        await waitUntil(caughtUp(cluster, 'replica2', await write(cluster)), LIMIT)
      },
    )

    test.skipIf(whyNoSmallDisk(runtime) !== undefined)(
      `that fills the disk of a standby stops its WAL and nothing else${whyNoSmallDisk(runtime) ?? ''}`,
      async () => {
        const file = runtime === 'docker' ? await withSmallVolume() : undefined
        await using cluster = await startTestCluster(runtime, { file })
        await using _disk = runtime === 'docker' ? undefined : await mountSmallDisk(cluster)
        const full = await fillDisk(cluster, 'replica1')
        for (let megabytes = 0; megabytes < 48; megabytes += 8) await write(cluster, 8 * 1024 * 1024)
        const written = (await cluster.primary()).currentLsn
        await waitUntil(caughtUp(cluster, 'replica2', written), LIMIT)
        await waitUntil(hasLogged(cluster, 'replica1', 'No space left on device'), LIMIT)
        const standby = await cluster.nodeStatus('replica1')
        expect(standby).toMatchObject({ role: 'standby' })
        expect(standby.role === 'standby' && standby.replayLsn < written).toBe(true)
        await healTwice(full)
        await waitUntil(caughtUp(cluster, 'replica1', written), LIMIT)
        await waitUntil(healthy(cluster), LIMIT)
      },
    )

    if (runtime === 'docker') return // links in front of the nodes are the same on both
    test('towards the clients is felt by them alone, and by their own time limits', async () => {
      await using cluster = await startTestCluster(runtime)
      await using links = await linkClients(cluster)
      await using writer = await startWriter(cluster, { ratePerSecond: 100, writeTimeoutMs: 400 })
      await writer.acknowledges(20, LIMIT)
      await using client = await cluster.connect('primary', { via: 'client' })

      const hole = await blackHole(cluster, 'primary')
      const asked = client.query('SELECT 1 AS one', [], LIMIT)
      await waitUntil(timedOut(writer), LIMIT)
      const unanswered = { via: 'client', connectTimeoutMs: 300 } as const
      await catchLabError('UNREACHABLE', () => cluster.connect('primary', unanswered))
      expect(client.lost.aborted).toBe(false)
      await waitUntil(caughtUp(cluster, 'replica1', await write(cluster)), LIMIT)
      await healTwice(hole)
      expect(await asked, 'late, and not lost').toEqual([{ one: 1 }])
      await writer.acknowledges(20, LIMIT)

      const deaf = await blackHole(cluster, 'primary', { direction: 'out' })
      const unheard = client.query('CREATE TABLE done_unheard ()', [], { timeoutMs: 1_000 })
      await expect(unheard).rejects.toMatchObject({ code: 'ETIMEDOUT' })
      expect(await cluster.query('primary', "SELECT to_regclass('done_unheard') IS NOT NULL AS done")).toEqual([
        { done: true },
      ])
      await healTwice(deaf)

      await using distant = await cluster.connect('primary', { via: 'client' })
      const late = await slowNetwork(cluster, 'primary', { towards: 'clients', latencyMs: 100, ...LIMIT })
      const askedAt = performance.now()
      await distant.query('SELECT 1', [], LIMIT)
      expect(performance.now() - askedAt).toBeGreaterThanOrEqual(199)
      await healTwice(late)

      await using _again = await blackHole(cluster, 'primary')
      await crash(cluster, 'primary')
      await failover(cluster, 'primary', LIMIT)
      await writer.acknowledges(20, LIMIT)
      await healTwice(links)
      await writer.acknowledges(20, LIMIT)
    })
  },
  ALSO_ON_DOCKER,
)

/** Inflicts it, looks at every standby and at the primary, and heals it. */
async function feel(cluster: Cluster, writer: Writer, fault: ReplicationFault): Promise<void> {
  const { name, standStill, unconfirmed, isSilent } = fault
  const healing = await fault.inflict(cluster)
  const since = (await cluster.primary()).currentLsn
  await writer.acknowledges(50, LIMIT)
  const written = (await cluster.primary()).currentLsn
  expect(written, name).toBeGreaterThan(since)
  const others = BOTH_STANDBYS.filter(node => !standStill.includes(node))
  for (const node of others) await waitUntil(caughtUp(cluster, node, written), LIMIT)
  for (const node of standStill) {
    const standby = await cluster.nodeStatus(node)
    expect(standby, `${name}: ${describeStatus(standby)}`).toMatchObject({ role: 'standby' })
    if (standby.role !== 'standby') return
    expect(Number(standby.replayLsn), `${name}: ${node} replays nothing new`).toBeLessThanOrEqual(Number(since))
    expect(standby.walReceiver?.status, `${name}: what ${node} says`).toBe(isSilent ? 'streaming' : undefined)
  }
  const { replication } = await cluster.primary()
  for (const node of BOTH_STANDBYS) {
    const sender = replication.find(({ applicationName }) => applicationName === node)
    if (isSilent) expect(sender?.state, `${name}: what the primary says of ${node}`).toBe('streaming')
    const confirmed = Number(sender?.flushLsn ?? 0)
    if (unconfirmed.includes(node)) expect(confirmed, name).toBeLessThanOrEqual(Number(since))
    else expect(confirmed, name).toBeGreaterThan(Number(since))
  }
  await healTwice(healing)
  for (const node of BOTH_STANDBYS) await waitUntil(caughtUp(cluster, node, written), LIMIT)
  await waitUntil(healthy(cluster), LIMIT)
}

async function healTwice(fault: AsyncDisposable): Promise<void> {
  await fault[Symbol.asyncDispose]()
  await fault[Symbol.asyncDispose]()
}

/** Writes on whichever node is the primary, by the lab's own connection, and returns where WAL ends then. */
async function write(cluster: Cluster, bytes = 1): Promise<Lsn> {
  const { name } = await cluster.primary()
  const message = "SELECT pg_logical_emit_message(true, 'test', repeat('x', $1))"
  await cluster.query(name, message, { values: [bytes], as: 'superuser' })
  return (await cluster.primary()).currentLsn
}

const conninfos = (cluster: Cluster, nodes = cluster.nodes.map(({ name }) => name)): Promise<string[]> =>
  Promise.all(
    nodes.map(async name => {
      const question = "SELECT current_setting('primary_conninfo') AS conninfo"
      const [row] = await cluster.query<{ conninfo: string }>(name, question, { as: 'superuser' })
      return row!.conninfo
    }),
  )

/** A node that was rewound has the primary_conninfo of the node that it was rewound from: the same, worded otherwise. */
const addressesIn = (all: readonly string[]): unknown[] =>
  all.map(parseConninfo).map(conninfo => [conninfo.get('host'), conninfo.get('port')])

const timedOut = (writer: Writer): Condition<undefined> => ({
  what: 'a write that had no answer in time',
  observe: async () => {
    const { writes } = writer.snapshot()
    const outcomes = writes.map(({ outcome }) => ('code' in outcome ? `${outcome.kind} ${outcome.code}` : outcome.kind))
    return outcomes.includes('indeterminate ETIMEDOUT') ? met(undefined) : notMet(`${outcomes.at(-1)}`)
  },
})

const hasLogged = (cluster: Cluster, node: string, words: string): Condition<undefined> => ({
  what: `${node} to log "${words}"`,
  observe: async () => {
    const log = await cluster.runtime.log(node, { lines: 50 })
    return log.includes(words) ? met(undefined) : notMet(log)
  },
})

/** What a server answers to an SSLRequest: N, or S. https://www.postgresql.org/docs/current/protocol-message-formats.html */
function greetingOf({ host, port }: Endpoint): Promise<string> {
  return new Promise(resolve => {
    let seen = ''
    const socket = connect({ host, port }, () => socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])))
    socket
      .on('data', chunk => {
        seen += chunk.toString()
        socket.destroy()
      })
      .on('error', () => undefined)
      .on('close', () => resolve(seen))
  })
}
