/**
 * Switchover: what it promises, and that it gives up rather than break a promise.
 */
import { expect, test } from 'vitest'
import {
  crash,
  cutFromWal,
  hasRole,
  startWriter,
  switchover,
  up,
  waitUntil,
  healthy,
  type Cluster,
  type FailoverRecord,
} from '../../src/index.ts'
import { answersNothing } from '../support/conditions.ts'
import { throughRouter } from '../../src/client/through-router.ts'
import { catchLabError } from '../support/catch-lab-error.ts'
import { CliCluster, expectAllStreaming } from '../support/cli.ts'
import {
  ALSO_ON_DOCKER,
  describeEachRuntime,
  startTestCluster,
  TIMEOUT_MS,
  type TestRuntime,
} from '../support/runtimes.ts'

const LIMIT = { timeoutMs: TIMEOUT_MS }

describeEachRuntime('a switchover', changesPlaces, ALSO_ON_DOCKER)

function changesPlaces(runtime: TestRuntime): void {
  test('lets two nodes change places there and back under load, loses nothing, and rewinds nothing', async () => {
    await using cluster = await CliCluster.up(runtime)
    const first = await cluster.json('switchover', '--to', 'replica2')
    const record = first.document as FailoverRecord
    expect(record).toMatchObject({
      ...{ version: 1, fault: 'switchover', oldPrimary: 'primary', newPrimary: 'replica2', verdict: 'durable' },
      ...{ timeline: { before: 1, after: 2 }, walBytesLost: 0, lostIds: [], outageMs: expect.any(Number) },
    })
    expect(record.writes).toMatchObject({ lost: 0, unexpected: 0 })
    expect(first.narration).not.toContain('pg_rewind --target-pgdata')
    expect(await expectAllStreaming(cluster)).toBe('replica2')

    const back = await cluster.json('switchover', '--to', 'primary', '--through-router')
    expect(back.document).toMatchObject({
      ...{ oldPrimary: 'replica2', newPrimary: 'primary', verdict: 'durable' },
      writes: { failed: 0, indeterminate: 0 },
      errors: {},
    })
    expect(back.narration).toContain('no write waited longer than')
    expect(await expectAllStreaming(cluster)).toBe('primary')

    for (const [args, exitCode, fact] of [
      [['--to', 'primary'], 2, 'primary is the primary, and no standby'],
      [['--to', 'nobody'], 2, 'there is no node "nobody"'],
    ] as const) {
      const refused = await cluster.run('switchover', ...args)
      expect(refused.exitCode).toBe(exitCode)
      expect(refused.stderr).toContain(`error: ${fact}`)
    }
    expect(await expectAllStreaming(cluster), 'nothing was harmed').toBe('primary')
  })
}

describeEachRuntime(
  'a switchover that cannot be',
  runtime => {
    test('changes nothing while a check fails, and gives the old primary back when it fails after the shutdown', async () => {
      await using cluster = await startTestCluster(runtime)
      const before = await incarnations(cluster)
      await using writer = await startWriter(cluster)
      await writer.acknowledges(50, LIMIT)

      {
        await using _cut = await cutFromWal(cluster, ['replica1'], LIMIT)
        const notStreaming = await catchLabError('NOT_READY', () => switchover(cluster, { to: 'replica1', ...LIMIT }))
        expect(notStreaming.message).toContain('replica1 is a standby on timeline 1')
      }
      await waitUntil(healthy(cluster), LIMIT)

      await cluster.query('replica1', 'SELECT pg_wal_replay_pause()', { as: 'superuser' })
      const paused = await catchLabError('NOT_READY', () => switchover(cluster, { to: 'replica1', ...LIMIT }))
      expect(paused.message).toContain('replay is paused on replica1')
      await cluster.query('replica1', 'SELECT pg_wal_replay_resume()', { as: 'superuser' })

      await cluster.runtime.freeze('replica2')
      const held = await catchLabError('NOT_READY', () =>
        switchover(cluster, { to: 'replica1', catchUpMs: 300, ...LIMIT }),
      )
      expect(held.message, 'it would hold up the shutdown').toContain('replica2 is streaming and has confirmed')
      await cluster.runtime.thaw('replica2')
      await waitUntil(healthy(cluster), LIMIT)
      expect(await incarnations(cluster), 'no server was touched').toEqual(before)

      await writer.acknowledges(50, LIMIT)
      await using way = throughRouter(cluster)
      await using routed = await startWriter(cluster, { way })
      await routed.acknowledges(50, LIMIT)
      await way.router.hold()
      const aborted = await abortedAfterShutdown(cluster).finally(() => way.router.release())
      expect(aborted.message).toContain('the switchover was given up, and primary goes on as the primary: waited')
      expect(await cluster.primary()).toMatchObject({ name: 'primary', timeline: 1 })
      await writer.acknowledges(50, LIMIT)
      await routed.acknowledges(50, LIMIT)
      const { writes: routedWrites } = await routed.stop()
      const outcomes = new Set(routedWrites.map(({ outcome }) => outcome.kind))
      expect(outcomes, 'through the router they waited, and went on with the old primary').toEqual(
        new Set(['acknowledged']),
      )
      await cluster.query('replica1', 'SELECT pg_wal_replay_resume()', { as: 'superuser' })
      await waitUntil(healthy(cluster), LIMIT)

      const { writes, run } = await writer.stop()
      const acknowledged = writes.filter(({ outcome }) => outcome.kind === 'acknowledged').map(({ id }) => id)
      const rows = await cluster.query<{ id: string }>('primary', 'SELECT id FROM lab.writes WHERE run = $1', {
        values: [run],
      })
      const there = new Set(rows.map(({ id }) => Number(id)))
      expect(acknowledged.filter(id => !there.has(id))).toEqual([])

      await switchover(cluster, { to: 'replica1', ...LIMIT })
      expect(await cluster.primary()).toMatchObject({ name: 'replica1', timeline: 2 })
    })
  },
  ['local'],
)

describeEachRuntime('a switchover that fails after the shutdown', runtime => {
  test('lets the old primary go on as long as the target was not told to be one', async () => {
    await using cluster = await startTestCluster(runtime)
    const goesOn = 'the switchover was given up, and primary goes on as the primary: '
    const onTheOldTimeline = async (): Promise<void> => {
      expect(await cluster.primary()).toMatchObject({ name: 'primary', timeline: 1 })
      await up(cluster, LIMIT)
    }

    const isInterrupted = async (moment: { readonly after: 'stop' | 'fence' }): Promise<void> => {
      const interrupt = new AbortController()
      using _interrupted = meddling(cluster, moment, async () => interrupt.abort())
      const error = await catchLabError('INTERRUPTED', () =>
        switchover(cluster, { to: 'replica1', signal: interrupt.signal, ...LIMIT }),
      )
      expect(error.message).toBe(`${goesOn}interrupted`)
      await onTheOldTimeline()
    }
    await isInterrupted({ after: 'stop' })
    await isInterrupted({ after: 'fence' })
    {
      using _unfenced = meddling(cluster, { before: 'fence' }, () => Promise.reject(new Error('no space left')))
      const error = await catchLabError('ABORTED', () => switchover(cluster, { to: 'replica1', ...LIMIT }))
      expect(error.message).toBe(`${goesOn}no space left`)
      await onTheOldTimeline()
    }
    {
      using _gone = meddling(cluster, { after: 'fence' }, async () => {
        await crash(cluster, 'replica1')
        // Over a connection that is not known to be dead it might have been told.
        await waitUntil(answersNothing(cluster, 'replica1'), LIMIT)
      })
      const error = await catchLabError('ABORTED', () => switchover(cluster, { to: 'replica1', ...LIMIT }))
      expect(error.message).toContain(`${goesOn}no PostgreSQL server answers on`)
      await onTheOldTimeline()
    }
  })
})

describeEachRuntime('a switchover', runtime => {
  test('whose target may yet be the primary leaves the old one down, and says so', async () => {
    await using cluster = await startTestCluster(runtime)
    const question = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'startup'"
    const [startup] = await cluster.query<{ pid: number }>('replica1', question)
    try {
      using _stuck = meddling(cluster, { after: 'fence' }, async () => process.kill(startup!.pid, 'SIGSTOP'))
      const error = await catchLabError('TIMEOUT', () => switchover(cluster, { to: 'replica1', timeoutMs: 1_500 }))
      expect(error.message).toMatch(
        /; now replica1 is a standby on timeline 1, .* It may have been told to be the primary, so primary stays down$/,
      )
      expect(await cluster.runtime.state('primary')).toBe('stopped')
    } finally {
      process.kill(startup!.pid, 'SIGCONT')
    }
    await waitUntil(hasRole(cluster, 'replica1', 'primary'), LIMIT)
    expect(await up(cluster, LIMIT)).toMatchObject({ name: 'replica1', timeline: 2 })
  })
})

/** Lets `meddle` happen just before the runtime stops, or fences, the old primary, or just after. */
function meddling(
  { runtime }: Cluster,
  moment: { readonly before: 'stop' | 'fence' } | { readonly after: 'stop' | 'fence' },
  meddle: () => Promise<unknown>,
): Disposable {
  const step = 'before' in moment ? moment.before : moment.after
  const original = runtime[step].bind(runtime) as (...args: unknown[]) => Promise<string>
  runtime[step] = async (...args: unknown[]) => {
    if ('before' in moment) await meddle()
    const done = await original(...args)
    if ('after' in moment) await meddle()
    return done
  }
  return { [Symbol.dispose]: () => void (runtime[step] = original) }
}

/** The target receives the last record and does not replay it: its replay is paused between the checks and the shutdown. */
async function abortedAfterShutdown(cluster: Cluster): Promise<Error> {
  using _paused = meddling(cluster, { before: 'stop' }, () =>
    cluster.query('replica1', 'SELECT pg_wal_replay_pause()', { as: 'superuser' }),
  )
  return await catchLabError('ABORTED', () => switchover(cluster, { to: 'replica1', catchUpMs: 1_000, ...LIMIT }))
}

/** What changes when a server is started anew. */
async function incarnations(cluster: Cluster): Promise<unknown[]> {
  const question = 'SELECT pg_postmaster_start_time()::text AS started'
  const started = await Promise.all(cluster.nodes.map(({ name }) => cluster.query(name, question)))
  return started.flat()
}
