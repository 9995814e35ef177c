/**
 * A node starts writable only when it has reason to: orders of stop, start, kill, restart and --force-recreate, with promotions
 * by hand between them, and no lab command. At every moment at most one node takes a row, and at the end every row that any
 * node has acknowledged can be read somewhere.
 * START_SECONDS=600 tries more of them, START_SEED=n others.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  healthy,
  isLabError,
  met,
  notMet,
  shutDown,
  up,
  waitUntil,
  type Cluster,
  type Condition,
} from '../../src/index.ts'
import { run } from '../../src/runtime/command.ts'
import { describeEachRuntime, startTestCluster, TIMEOUT_MS } from '../support/runtimes.ts'
import { WriteProbe } from '../support/write-probe.ts'

const LIMIT = { timeoutMs: TIMEOUT_MS }
const SECONDS = Number(process.env['START_SECONDS'] ?? 10)
const SEED = Number(process.env['START_SEED'] ?? 1)

type Act = 'stop' | 'kill' | 'start' | 'restart' | 'recreate' | 'promote'
/** `primary` and `standby` are whoever is that at the moment; `down` one that does not run. */
type Move = readonly [
  Act,
  'primary' | 'replica1' | 'replica2' | 'the primary' | 'a standby' | 'one that is down' | 'all',
]

/** The two cases: a promotion by hand which only one of the peers has seen, and one that all start after. */
const KNOWN: readonly (readonly [string, readonly Move[]])[] = [
  [
    'the old primary beside a standby of the new one, then the new one',
    [
      ['stop', 'the primary'],
      ['promote', 'a standby'],
      ['stop', 'the primary'],
      ['start', 'primary'],
    ],
  ],
  [
    'all at once, after two promotions by hand',
    [
      ['stop', 'the primary'],
      ['promote', 'a standby'],
      ['kill', 'the primary'],
      ['start', 'one that is down'],
      ['promote', 'a standby'],
      ['stop', 'all'],
      ['start', 'all'],
    ],
  ],
]

const whose = fc.constantFrom<Move[1]>('primary', 'replica1', 'replica2', 'the primary', 'the primary', 'all')
const orders = fc.array(
  fc.oneof(
    fc.tuple(fc.constantFrom<Act>('stop', 'kill', 'restart', 'recreate'), whose),
    fc.tuple(fc.constant<Act>('start'), fc.constantFrom<Move[1]>('one that is down', 'one that is down', 'all')),
    fc.tuple(fc.constant<Act>('promote'), fc.constant<Move[1]>('a standby')),
  ),
  { minLength: 4, maxLength: 8 },
)

describeEachRuntime(
  'nodes that are stopped, killed, started and promoted by hand',
  runtime => {
    let cluster: Cluster
    beforeAll(async () => {
      cluster = await startTestCluster(runtime)
    }, TIMEOUT_MS)
    afterAll(() => cluster[Symbol.asyncDispose]())

    test.each(KNOWN)('%s', async (_, moves) => await expectOneWriter(cluster, moves), TIMEOUT_MS * 3)

    test(
      'in whatever order',
      async () => {
        const end = performance.now() + SECONDS * 1000
        let tried = 0
        for (const moves of fc.sample(orders, { numRuns: 10_000, seed: SEED })) {
          if (performance.now() > end) break
          await expectOneWriter(cluster, moves)
          tried++
        }
        process.stderr.write(`${tried} orders tried on ${runtime}\n`)
        expect(tried).toBeGreaterThan(0)
      },
      SECONDS * 1000 + TIMEOUT_MS * 3,
    )
  },
  ['docker', 'local'],
)

describeEachRuntime('a former primary that is stopped while the image prepares its server', runtime => {
  test('ends at once', async () => {
    await using cluster = await startTestCluster(runtime)
    await shutDown(cluster, 'primary')
    const { exitCode, stdout, stderr } = await cluster.runtime.runOffline('primary', ['bash', '-c', STOP_EARLY])
    expect({ exitCode, ended: stdout.trim() }, stderr).toEqual({ exitCode: 0, ended: 'ended' })
  })
})

/** An image whose entrypoint, a shell as the official one, takes long: its child gets no signal that is for itself alone. */
const STOP_EARLY = `
set -m # what a script runs in the background ignores SIGINT otherwise, and for good
prepare=$PGDATA/../prepare.sh
trap 'rm -f "$prepare" "$prepare.begun"' EXIT
echo 'touch "$0.begun"; sleep 30; exec "$@"' >"$prepare"
ASK_PEERS=yes IMAGE_ENTRYPOINT="bash $prepare" bash "$SCRIPTS/entrypoint.sh" postgres -D "$PGDATA" &
until [ -e "$prepare.begun" ]; do sleep 0.02; done
kill -TERM $!
wait $! && [ "$SECONDS" -lt 20 ] && echo ended
`

async function expectOneWriter(cluster: Cluster, moves: readonly Move[]): Promise<void> {
  const done: string[] = []
  await using probe = await WriteProbe.start(cluster)
  await waitUntil(healthy(cluster), LIMIT) // the table is on every node
  for (const move of moves) done.push(...(await make(cluster, move, probe)))
  for (const { name } of cluster.nodes) done.push(...(await make(cluster, ['start', name as Move[1]], probe)))
  const told = (): string => done.join(', ')
  await waitUntil(settled(cluster), LIMIT).catch((error: unknown) => {
    throw new Error(`after ${told()}`, { cause: error })
  })
  const { accepted, splits } = await probe.stop()
  expect(splits, told()).toEqual([])
  await waitUntil(readable(cluster, [...accepted.keys()]), LIMIT).catch((error: unknown) => {
    throw new Error(`after ${told()}`, { cause: error })
  })
  await up(cluster, LIMIT)
}

/** Returns what was done: nothing, where it makes no sense now. */
async function make(cluster: Cluster, [act, whom]: Move, probe: WriteProbe): Promise<string[]> {
  const nodes = await choose(cluster, whom)
  const fits: string[] = []
  for (const name of nodes) {
    const isUp = (await cluster.runtime.state(name)) === 'running'
    if (act === 'start' ? !isUp : act === 'recreate' || isUp) fits.push(name)
  }
  if (act === 'promote') return await promoteByHand(cluster, fits, probe)
  await Promise.all(fits.map(name => power(cluster, act, name)))
  return fits.map(name => `${act} ${name}`)
}

async function choose(cluster: Cluster, whom: Move[1]): Promise<string[]> {
  const all = await cluster.status()
  const named = (is: (status: (typeof all)[number]) => boolean): string[] => all.filter(is).map(({ name }) => name)
  switch (whom) {
    case 'all':
      return named(() => true)
    case 'the primary':
      return named(({ role }) => role === 'primary')
    case 'a standby':
      return named(({ role }) => role === 'standby')
    case 'one that is down':
      return named(({ role }) => role === 'unreachable').slice(0, 1)
    default:
      return [whom]
  }
}

/** Where a person would: no node accepts writes, and none that was the primary is about to. */
async function promoteByHand(cluster: Cluster, [node]: readonly string[], probe: WriteProbe): Promise<string[]> {
  const all = await cluster.status()
  const mayBePrimary = all.some(
    status =>
      status.role === 'primary' ||
      (status.role === 'standby' && status.waitsForPeers) ||
      (status.role === 'unreachable' && status.state === 'running'),
  )
  if (mayBePrimary || node === undefined) return []
  await cluster.query(node, 'SELECT pg_promote()', { as: 'superuser' })
  await waitUntil(probe.taken(node), LIMIT)
  return [`promote ${node}`]
}

async function power(cluster: Cluster, act: Exclude<Act, 'promote'>, name: string): Promise<void> {
  const { runtime, topology } = cluster
  if (runtime.name === 'docker') {
    const compose = ['compose', '--file', topology.file, 'up', '--detach', '--no-deps', '--force-recreate', name]
    const argv = act === 'recreate' ? compose : [act, cluster.node(name).containerName ?? name]
    const { exitCode, stderr } = await run(['docker', ...argv], { environment: topology.variables })
    expect(exitCode, stderr).toBe(0)
    return
  }
  const isUp = (await runtime.state(name)) === 'running'
  if (isUp && act === 'kill') await runtime.crash(name)
  else if (isUp) await runtime.stop(name, 'fast')
  if (act === 'start' || act === 'restart' || act === 'recreate') await runtime.start(name)
}

/** One accepts writes, and all others answer. */
const settled = (cluster: Cluster): Condition<undefined> => ({
  what: 'one node to accept writes, and the others to answer',
  observe: async () => {
    const all = await cluster.status()
    const roles = all.map(({ name, role }) => `${name} is ${role}`).join(', ')
    const isSo = all.every(({ role }) => role !== 'unreachable') && all.filter(s => s.role === 'primary').length === 1
    return isSo ? met(undefined) : notMet(roles)
  },
})

/** Each of these rows can be read on some node. */
const readable = (cluster: Cluster, accepted: readonly string[]): Condition<undefined> => ({
  what: `${accepted.length} rows that were acknowledged to be there`,
  observe: async () => {
    const kept = await Promise.all(cluster.nodes.map(({ name }) => idsOn(cluster, name)))
    const missing = accepted.filter(id => !kept.some(ids => ids.has(id)))
    return missing.length === 0 ? met(undefined) : notMet(`${missing.length} of them are not`)
  },
})

/** None where it does not answer: one that becomes a standby is started anew. */
async function idsOn(cluster: Cluster, name: string): Promise<ReadonlySet<string>> {
  try {
    const rows = await cluster.query(name, 'SELECT id FROM probed')
    return new Set(rows.map(row => (row as { readonly id: string }).id))
  } catch (error) {
    if (isLabError(error)) return new Set()
    throw error
  }
}
