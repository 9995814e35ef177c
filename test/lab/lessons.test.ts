/**
 * The course: every lesson, through the command line, one after another on one cluster. Each asserts its own claim; here is
 * looked at what it leaves, and that it can be read. The lessons that are commands too are in demos.test.ts and durability.test.ts.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { CliCluster, expectAllStreaming, Invocation, ROOT, runCli } from '../support/cli.ts'
import { PseudoTerminal } from '../support/pseudo-terminal.ts'
import { ALSO_ON_DOCKER, describeEachRuntime } from '../support/runtimes.ts'
import { stackEnvironment } from '../support/stack-environment.ts'

const isSome = (count: number): boolean => count > 0

/** Which take seconds, and what must be in their documents. */
const LESSONS = {
  lag: { liars: { version: 1 } },
  'cancelled-wait': { isLost: true, warnings: [expect.stringMatching(/^01000: canceling wait/)] },
  slots: { withoutSlot: { by: 'clone' } },
  rewind: { by: expect.stringMatching(/^(rewind|clone)$/) },
  'split-brain': { seat1: { told: ['Alice', 'Bob'], kept: 'Bob' } },
  cascading: { timeline: { before: expect.any(Number), after: expect.any(Number) } },
  'delayed-standby': { recovered: { rows: 1001 } },
  'read-only': { demoted: { code: '25006' }, conflict: { code: '40001' }, feedback: { rows: 10_000 } },
  'read-your-writes': { stale: { rows: 0 }, lost: { code: 'WRITE_LOST' } },
  automatic: { alone: { waitedMs: 5000, outageMs: expect.toSatisfy((ms: number) => ms > 5000) }, patroni: null },
  freeze: {
    wokenUp: { lost: expect.toSatisfy(isSome), late: expect.toSatisfy(isSome) },
    rounds: [
      { precaution: 'quorum-stays', acknowledged: expect.toSatisfy(isSome), lost: expect.toSatisfy(isSome) },
      { precaution: 'quorum-follows', lost: 0 },
      { precaution: 'fenced', acknowledged: 0 },
    ],
  },
  'connection-pool': { after: { 'release()': { done: 0, errors: { 25006: 20 } } } },
} as const

/** Where nothing of the lesson depends on the runtime, one is enough: these take long. `automatic` has a test of its own on Docker. */
const ONLY_LOCAL = new Set(['lag', 'slots', 'read-your-writes', 'automatic'])

const SIZE = { columns: 120, rows: 40 }

/** To adopt takes half a minute, the lease 20 s, and to give back as long. */
const WITH_PATRONI_MS = 300_000

const MANY_TIMEOUT_MS = 460_000

describeEachRuntime(
  'the lessons',
  runtime => {
    test(
      'hold what they claim, one after another, and leave three nodes streaming',
      async () => {
        await using cluster = await CliCluster.up(runtime)
        const standbys = runtime === 'local' ? 'quorum' : 'asynchronous'
        if (standbys === 'quorum') await cluster.json('sync', standbys)
        for (const [name, expected] of Object.entries(LESSONS)) {
          if (runtime !== 'local' && ONLY_LOCAL.has(name)) continue
          const { document, narration } = await cluster.json('lesson', name)
          expect(document, name).toMatchObject({ version: 1, ...expected })
          expect(narration).toContain('What was learnt')
          await expectAllStreaming(cluster)
        }
        expect((await cluster.json('sync')).document, 'as the user has set it').toMatchObject({ standbys })
        const refused = await cluster.run('lesson', '1', '--step')
        expect(refused).toMatchObject({ exitCode: 2 })
        expect(refused.stderr).toContain('error: --step waits for a key, and there is no terminal')
      },
      MANY_TIMEOUT_MS,
    )
  },
  ALSO_ON_DOCKER,
)

describeEachRuntime(
  'a lesson with --step',
  runtime => {
    test('waits for a key after each step, says what to try, and q ends it', async () => {
      await using cluster = await CliCluster.up(runtime)
      await using terminal = new PseudoTerminal(['lesson', 'streaming', '--step'], cluster.environment, SIZE)
      const first = await terminal.prints('Any key goes on')
      expect(first).toContain('psql standby -c "SELECT pg_is_in_recovery()"')
      expect(first).not.toContain('A table on the primary')
      terminal.type(' ')
      const second = await terminal.prints('Any key goes on', 2)
      expect(second).toContain('A table on the primary')
      expect(second).not.toContain('Alice')
      terminal.type('q')
      const all = await terminal.ended
      expect(all).toContain('exit=130')
      expect(all).toContain('modes=same')
      expect(await expectAllStreaming(cluster)).toBe('primary')
    })
  },
  ['local'],
)

describeEachRuntime(
  'the lesson on automatic failover',
  runtime => {
    test(
      'has Patroni take the cluster over, waits for the lease to end, and gives the cluster back',
      async () => {
        await using cluster = await CliCluster.up(runtime, await stackEnvironment())
        const lesson = new Invocation(['lesson', 'automatic', '--json'], cluster.environment, WITH_PATRONI_MS)
        const { exitCode, stdout, stderr } = await lesson.ended
        expect(exitCode, stdout + stderr).toBe(0)
        const { alone, patroni } = JSON.parse(stdout) as {
          alone: { outageMs: number }
          patroni: { newPrimary: string; freeAfterMs: number; takenAfterMs: number; etcd: { demotedAfterMs: number } }
        }
        expect(alone.outageMs).toBeGreaterThan(5_000)
        expect(patroni.freeAfterMs, 'ttl 20, renewed each 2 seconds').toBeGreaterThan(16_000)
        expect(patroni.takenAfterMs).toBeGreaterThanOrEqual(patroni.freeAfterMs)
        expect(patroni.etcd.demotedAfterMs, 'it is asked again for retry_timeout').toBeGreaterThan(1_000)
        expect(patroni).toMatchObject({
          timers: { ttl: 20 },
          verdict: expect.stringMatching(/^(durable|lost-writes)$/),
        })
        await expectAllStreaming(cluster)
      },
      WITH_PATRONI_MS,
    )

    test(
      'gives the cluster back after Ctrl-C while the lease runs',
      async () => {
        await using cluster = await CliCluster.up(runtime, await stackEnvironment())
        const lesson = new Invocation(['lesson', 'automatic'], cluster.environment, WITH_PATRONI_MS)
        await lesson.shows("The primary's node is killed", WITH_PATRONI_MS)
        lesson.interrupt()
        const { exitCode, stdout, stderr } = await lesson.ended
        expect(exitCode, stdout + stderr).toBe(130)
        await expectAllStreaming(cluster)
      },
      WITH_PATRONI_MS,
    )
  },
  ['docker'],
)

test('the lessons are listed in the order of their files, and another is refused', async () => {
  const { stdout } = await runCli(['lesson', '--json'], process.env)
  const { lessons } = JSON.parse(stdout) as { lessons: { number: number; name: string; question: string }[] }
  const files = (await readdir(join(ROOT, 'demos'))).filter(name => name.endsWith('.ts')).sort()
  expect(files).toEqual(lessons.map(({ number, name }) => `${String(number).padStart(2, '0')}-${name}.ts`))
  for (const { question } of lessons) expect(question).toMatch(/\?$/)
  const { exitCode, stderr } = await runCli(['lesson', '99'], process.env)
  expect({ exitCode, stderr }).toEqual({
    exitCode: 2,
    stderr: 'error: there is no lesson "99"\nhint: pnpm run lesson lists them.\n',
  })
})
