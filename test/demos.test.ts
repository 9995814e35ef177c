/**
 * The demos that the README begins with, through the command line, on every runtime.
 */
import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import type { FailoverRecord } from '../src/index.ts'
import { CliCluster, expectAllStreaming } from './support/cli.ts'
import { describeEachRuntime, ON_EVERY_RUNTIME, type TestRuntime } from './support/runtimes.ts'

/** A demo and four failovers, one after another. */
const MANY_TIMEOUT_MS = 240_000

describeEachRuntime('the demos', again, ON_EVERY_RUNTIME)

function again(runtime: TestRuntime): void {
  test(
    'give one JSON document each, again and again on one cluster, and leave three nodes streaming',
    async () => {
      await using cluster = await CliCluster.describe(runtime)
      const name = runtime === 'docker' ? 'docker' : 'local'

      const demo = await cluster.json('demo')
      expect(demo.document).toMatchObject({
        version: 1,
        runtime: name,
        inserts: 100,
        standbys: [{ node: 'replica1' }, { node: 'replica2' }],
      })
      for (const name of ['Alice', 'Bob', 'Charlie']) expect(demo.narration).toContain(name)
      expect(demo.narration).toMatch(/ERROR 25006: cannot execute INSERT in a read-only transaction/)
      expect(await expectAllStreaming(cluster)).toBe('primary')

      const crash = await expectFailover(cluster, [], { fault: 'crash', oldPrimary: 'primary' })
      expect(await expectAllStreaming(cluster)).toBe(crash.newPrimary)

      const stop = await expectFailover(cluster, ['--fault', 'stop'], { fault: 'stop', oldPrimary: crash.newPrimary })
      expect(stop, 'a fast shutdown sends everything to the standbys first').toMatchObject({
        verdict: 'durable',
        lostIds: [],
      })
      expect(await expectAllStreaming(cluster)).toBe(stop.newPrimary)

      const left = await expectFailover(cluster, ['--no-rejoin'], { fault: 'crash', oldPrimary: stop.newPrimary })
      const nodes = await cluster.nodes()
      expect(nodes.find(({ role }) => role === 'unreachable')?.name, 'it was to be left down').toBe(left.oldPrimary)

      const last = await expectFailover(cluster, [], { fault: 'crash', oldPrimary: left.newPrimary })
      expect(await expectAllStreaming(cluster)).toBe(last.newPrimary)
      expect(last.timeline).toEqual({ before: 4, after: 5 })
    },
    MANY_TIMEOUT_MS,
  )
}

describeEachRuntime('the demos', runtime => {
  test('promote the standby that --to names', async () => {
    await using cluster = await CliCluster.up(runtime)
    await expectFailover(cluster, ['--to', 'replica2'], { newPrimary: 'replica2' })
    expect(await expectAllStreaming(cluster)).toBe('replica2')
    const refused = await cluster.run('failover', '--to', 'replica2')
    expect(refused.exitCode, 'it is the primary already').not.toBe(0)
    expect(refused.stderr).toContain('error: replica2 is the primary, and no standby')
    expect(await expectAllStreaming(cluster), 'nothing was harmed').toBe('replica2')
  })

  test('narrate on stdout without escape codes when piped, and say nothing on stderr', async () => {
    await using cluster = await CliCluster.describe(runtime)
    const demo = await cluster.run('demo')
    expect(demo).toMatchObject({ exitCode: 0, stderr: '' })
    expect(stripVTControlCharacters(demo.stdout)).toBe(demo.stdout)
    for (const name of ['Alice', 'Bob', 'Charlie']) expect(demo.stdout).toContain(name)

    const failover = await cluster.run('failover')
    expect(failover).toMatchObject({ exitCode: 0, stderr: '' })
    expect(stripVTControlCharacters(failover.stdout)).toBe(failover.stdout)
    for (const shown of ['SELECT pg_promote(', 'outage', 'verdict', 'What the client lost'])
      expect(failover.stdout).toContain(shown)
  })

  test('are in colour with FORCE_COLOR, with the same words', async () => {
    await using cluster = await CliCluster.up(runtime)
    const { exitCode, stdout, stderr } = await cluster.runWith({ FORCE_COLOR: '1' }, 'failover')
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    const colour = new RegExp(`${String.fromCodePoint(27)}\\[\\d+m`, 'g')
    expect(stdout).toMatch(colour)
    const words = stdout.replaceAll(colour, '')
    expect(words, 'colours, and no other escape codes').toBe(stripVTControlCharacters(words))
    expect(words).toContain('SELECT pg_promote(')
  })
})

/** Runs `failover --json`, and checks that its record is whole and consistent in itself. */
async function expectFailover(
  cluster: CliCluster,
  args: readonly string[],
  expected: Partial<FailoverRecord>,
): Promise<FailoverRecord> {
  const { document, narration } = await cluster.json('failover', ...args)
  const record = document as FailoverRecord
  expect(narration).toContain('SELECT pg_promote(')
  const number = expect.any(Number)
  expect(record).toMatchObject({
    ...{ version: 1, runtime: cluster.runtime === 'docker' ? 'docker' : 'local', synchronousCommit: 'on' },
    ...{
      postgresVersion: expect.stringMatching(/^\d+\.\d+/),
      verdict: expect.stringMatching(/^(durable|lost-writes)$/),
      outageMs: number,
    },
    phases: { detectMs: number, fenceMs: number, promoteMs: number, firstWriteMs: number },
    ...expected,
  })
  const { attempted, acknowledged, failed, indeterminate, lost, recovered, unexpected, duplicates } = record.writes
  expect(acknowledged).toBeGreaterThan(0)
  expect(acknowledged + failed + indeterminate).toBe(attempted)
  expect(record.lostIds).toHaveLength(lost)
  expect(unexpected + duplicates).toBe(0)
  expect(recovered).toBeLessThanOrEqual(indeterminate)
  expect(record.verdict === 'durable', 'durable means that nothing is lost').toBe(lost === 0)
  expect(record.timeline.after).toBe(record.timeline.before + 1)
  expect(record.newPrimary).not.toBe(record.oldPrimary)
  expect(Object.keys(record.errors), 'a client whose primary goes is told').not.toEqual([])
  const { detectMs, fenceMs, promoteMs, firstWriteMs } = record.phases!
  expect(detectMs + fenceMs + promoteMs + firstWriteMs).toBeCloseTo(record.outageMs!, 0)
  return record
}
