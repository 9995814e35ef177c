/**
 * Up: from whatever state there is, to one primary with every other node streaming from it.
 */
import { chmod, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  caughtUp,
  crash,
  cutFromWal,
  failover,
  hasRole,
  healthy,
  parseLsn,
  pauseReplay,
  readKept,
  shutDown,
  up,
  waitUntil,
  type Cluster,
  type ClusterEvent,
} from '../../src/index.ts'
import { received } from '../support/conditions.ts'
import { catchLabError } from '../support/catch-lab-error.ts'
import { Disposer } from '../../src/dispose.ts'
import { findBinaries } from '../../src/runtime/binaries.ts'
import { run } from '../../src/runtime/command.ts'
import { CliCluster, expectAllStreaming, ROOT } from '../support/cli.ts'
import {
  ALSO_ON_DOCKER,
  describeEachRuntime,
  shareTestCluster,
  startTestCluster,
  TEST_PREFIX,
  TIMEOUT_MS,
  type TestRuntime,
} from '../support/runtimes.ts'

const LIMIT = { timeoutMs: TIMEOUT_MS }

describeEachRuntime('up', startsWhatDoesNotRun, ALSO_ON_DOCKER)

function startsWhatDoesNotRun(runtime: TestRuntime): void {
  const shared = shareTestCluster(runtime)

  test('on a healthy cluster changes nothing', async () => {
    const cluster = await shared()
    const primary = await roleOf(cluster)
    const before = await incarnations(cluster)
    const events: ClusterEvent[] = []
    cluster.onEvent(event => events.push(event))
    expect(await up(cluster, LIMIT)).toMatchObject(primary)
    expect(events.filter(({ kind }) => kind === 'remark')).toEqual([])
    expect(await incarnations(cluster)).toEqual(before)
  })

  test('makes a crashed primary the primary again, when nobody was promoted', async () => {
    const cluster = await shared()
    const primary = await roleOf(cluster)
    await crash(cluster, 'primary')
    expect(await up(cluster, LIMIT)).toMatchObject(primary)
  })

  test('thaws what is frozen, primary and standby', async () => {
    const cluster = await shared()
    const primary = await roleOf(cluster)
    const before = await incarnations(cluster)
    for (const node of ['primary', 'replica1']) await cluster.runtime.freeze(node)
    expect(await up(cluster, LIMIT)).toMatchObject(primary)
    expect(await incarnations(cluster)).toEqual(before)
  })
}

describeEachRuntime('up', runtime => {
  test('lets a standby whose slot was dropped stream again', async () => {
    await using cluster = await startTestCluster(runtime)
    await shutDown(cluster, 'replica1')
    await cluster.query('primary', "SELECT pg_drop_replication_slot('replica1')")
    await cluster.runtime.start('replica1')
    const { slots } = await up(cluster, LIMIT)
    expect(slots.map(({ slotName, active }) => ({ slotName, active }))).toEqual([
      { slotName: 'replica1', active: true },
      { slotName: 'replica2', active: true },
    ])
  })

  test('promotes the most advanced, when every node is a standby', async () => {
    await using cluster = await startTestCluster(runtime)
    for (const node of ['replica1', 'replica2']) await shutDown(cluster, node)
    await cluster.query('primary', 'CREATE TABLE only_here AS SELECT 1 AS id')
    await crash(cluster, 'primary')
    await cluster.runtime.fence('primary')
    for (const { name } of cluster.nodes) await cluster.runtime.start(name)
    for (const { name } of cluster.nodes) await waitUntil(caughtUp(cluster, name, parseLsn('0/0')), LIMIT)
    await catchLabError('NO_PRIMARY', () => cluster.primary())

    expect(await up(cluster, LIMIT)).toMatchObject({ name: 'primary', timeline: 2 })
    expect(await cluster.query('primary', 'SELECT id FROM only_here')).toEqual([{ id: 1 }])
  })

  test('promotes the one that has received most, although it has not replayed it', async () => {
    await using cluster = await startTestCluster(runtime)
    await using _paused = await pauseReplay(cluster, 'replica2', LIMIT)
    await using cut = await cutFromWal(cluster, ['replica1'], LIMIT)
    await cluster.query('primary', 'CREATE TABLE received AS SELECT 1 AS id')
    const { currentLsn } = await cluster.primary()
    await waitUntil(received(cluster, 'replica2', currentLsn), LIMIT)
    await crash(cluster, 'primary')
    await cluster.runtime.discard('primary')
    await cut[Symbol.asyncDispose]()
    expect(await up(cluster, LIMIT)).toMatchObject({ name: 'replica2', timeline: 2 })
    expect(await cluster.query('replica2', 'SELECT id FROM received')).toEqual([{ id: 1 }])
  })
})

describeEachRuntime(
  'a former primary that was not fenced',
  runtime => {
    test('sees when it starts that another was promoted, and follows instead of accepting writes', async () => {
      await using cluster = await startTestCluster(runtime)
      const newPrimary = await replaceAndUnfence(cluster, runtime)
      await cluster.runtime.start('primary')
      await waitUntil(caughtUp(cluster, 'primary', parseLsn('0/0')), LIMIT)
      expect((await cluster.primary()).name).toBe(newPrimary)
      expect(await up(cluster, LIMIT)).toMatchObject({ name: newPrimary, timeline: 2 })
    })
  },
  ALSO_ON_DOCKER,
)

describeEachRuntime(
  'a standby on a newer history than the primary',
  runtime => {
    test('is promoted by up: no row of the newest history is lost, and what the primary has is kept', async () => {
      await using cluster = await startTestCluster(runtime)
      await cluster.query('primary', 'CREATE TABLE rows_of (node text)')
      const { currentLsn } = await cluster.primary()
      await waitUntil(caughtUp(cluster, 'replica1', currentLsn), LIMIT)
      await cluster.query('replica1', 'SELECT pg_promote()')
      await waitUntil(hasRole(cluster, 'replica1', 'primary'), LIMIT)
      for (const node of ['replica1', 'primary']) await cluster.query(node, `INSERT INTO rows_of VALUES ('${node}')`)
      await shutDown(cluster, 'replica1')
      await cluster.runtime.fence('replica1')
      await cluster.runtime.start('replica1')

      expect(await up(cluster, LIMIT)).toMatchObject({ name: 'replica1', timeline: 3 })
      for (const { name } of cluster.nodes)
        expect(await cluster.query(name, 'SELECT node FROM rows_of'), name).toEqual([{ node: 'replica1' }])
      // And what replica2 has received from it.
      const [kept] = await readKept(cluster)
      expect(kept).toMatchObject({ node: 'primary', timeline: 1, forkTimeline: 1 })
      expect(kept!.records).toBeGreaterThan(0)
    })
  },
  ['local'],
)

describeEachRuntime(
  'a container that was made, and neither connected to its peers nor started',
  runtime => {
    test('is made anew by up', async () => {
      await using cluster = await CliCluster.describe(runtime)
      const docker = async (...args: readonly string[]): Promise<void> => {
        const result = await run(['docker', ...args], { environment: cluster.environment, cwd: ROOT })
        expect(result.exitCode, result.stderr).toBe(0)
      }
      await docker('compose', 'create')
      await docker('network', 'disconnect', `${cluster.project}_replication`, `${cluster.project}_replica2`)
      const { exitCode, stdout, stderr } = await cluster.run('up')
      expect({ exitCode, stderr }, stdout).toEqual({ exitCode: 0, stderr: '' })
      await expectAllStreaming(cluster)
    })
  },
  ['docker'],
)

describeEachRuntime(
  'a clone whose slot somebody else makes in the same moment',
  runtime => {
    test('uses that slot', async () => {
      const { directory } = await findBinaries(process.env)
      await using cleanUp = new Disposer()
      const folder = await mkdtemp(join(tmpdir(), `${TEST_PREFIX}-bin-`))
      cleanUp.defer(() => rm(folder, { recursive: true }))
      await chmod(folder, 0o777) // where the lab is root's, the servers are another user's
      await linkWithRivalPsql(directory, folder)

      await using cluster = await startTestCluster(runtime, { environment: { LAB_PG_BIN: folder } })
      await shutDown(cluster, 'replica1')
      await cluster.query('primary', "SELECT pg_drop_replication_slot('replica1')")
      await cluster.runtime.discard('replica1')
      await cluster.runtime.start('replica1')
      await waitUntil(healthy(cluster), LIMIT)
      expect(await readdir(folder)).toContain('rival-was-faster')
    })
  },
  ['local'],
)

/** PostgreSQL's programs, with a psql which makes the slot that it has just said is missing. */
async function linkWithRivalPsql(binaries: string, folder: string): Promise<void> {
  const names = await readdir(binaries)
  await Promise.all(names.map(name => symlink(join(binaries, name), join(folder, name))))
  const psql = join(folder, 'psql')
  await rm(psql)
  await writeFile(
    psql,
    `#!/usr/bin/env bash
answer=$("${join(binaries, 'psql')}" "$@") || exit
printf '%s\\n' "$answer"
question=\${*: -1}
case $question in
  READ_REPLICATION_SLOT*)
    [ "$answer" = '||' ] || exit 0
    "${join(binaries, 'psql')}" "\${@:1:$#-1}" "\${question/READ/CREATE} PHYSICAL" >/dev/null
    touch "\${0%/*}/rival-was-faster"
    ;;
esac
`,
    { mode: 0o755 },
  )
}

/** The primary crashes, a standby is promoted, and the fence is taken away; returns the new primary. */
async function replaceAndUnfence(cluster: Cluster, runtime: TestRuntime): Promise<string> {
  await crash(cluster, 'primary')
  const { newPrimary } = await failover(cluster, 'primary', LIMIT)
  const removed = await cluster.runtime.runOffline('primary', ['bash', '-c', 'rm "$PGDATA/standby.signal"'])
  expect(removed, runtime).toMatchObject({ exitCode: 0 })
  return newPrimary
}

/** The primary, and its timeline. */
async function roleOf(cluster: Cluster): Promise<{ readonly name: string; readonly timeline: number }> {
  const { name, timeline } = await cluster.primary()
  return { name, timeline }
}

/** What changes when a server is started anew, or promoted. */
async function incarnations(cluster: Cluster): Promise<unknown[]> {
  const question = 'SELECT pg_postmaster_start_time()::text AS started'
  const started = await Promise.all(cluster.nodes.map(({ name }) => cluster.query(name, question)))
  const all = await cluster.status()
  return all.map((status, at) => ({
    ...{ node: status.name, role: status.role, ...started[at]?.[0] },
    timeline: status.role === 'unreachable' ? undefined : status.timeline,
  }))
}
