/**
 * Two commands at once: one works, the other is refused, or waits for it.
 * LOCK_PAIRS=all tries every pair of the commands that change a cluster, which takes half an hour.
 */
import { expect, test } from 'vitest'
import { openLab } from '../../src/index.ts'
import { CliCluster, expectAllStreaming, expectRefusal } from '../support/cli.ts'
import { describeEachRuntime, type TestRuntime } from '../support/runtimes.ts'

const CHANGING: readonly [string, ...string[]][] = [
  ['up'],
  ['down'],
  ['demo'],
  ['lesson', '1'],
  ['failover'],
  ['switchover'],
  ['durability'],
  ['rejoin'],
  ['salvage', 'replica1'],
  ['sync', 'off'],
  ['lag'],
  ['add-replica'],
  ['remove-replica', 'replica3'],
  ['cascade', 'replica2', '--from', 'replica1'],
  ['delay', 'replica1', '--by', '0'],
  ['chaos', '--rounds', '1'],
  ['bench', '--runs', '1'],
]

const LOOKING: readonly string[][] = [['status'], ['sync'], ['logs'], ['psql', 'primary', '-c', 'SELECT 1'], ['lesson']]

describeEachRuntime('a cluster that one command changes', aLockedCluster, ['docker', 'local'])

function aLockedCluster(runtime: TestRuntime): void {
  test('is free when the command is killed', async () => {
    await using cluster = await CliCluster.up(runtime)
    const failover = cluster.start('failover', '--rate', '200')
    await failover.shows('A client writes')
    const { stderr, exitCode } = await cluster.run('switchover')
    expect(stderr).toMatch(
      /"failover --rate 200" is changing this cluster \(process \d+ of .+, since 20.+--wait, or end it: kill/s,
    )
    expect(exitCode).toBe(1)
    failover.kill()
    await failover.ended
    expect(await cluster.run('up')).toMatchObject({ exitCode: 0, stderr: '' })
    await expectAllStreaming(cluster)
  })

  test.each([
    ['up', 'up'],
    ['up', 'down'],
  ])('is made or removed by %s and %s at once, or one is refused', async (...commands) => {
    await using cluster = await CliCluster.describe(runtime)
    await expectOrderly(cluster, commands)
  })

  // On Docker the first will do: the lock knows nothing of the runtime.
  const pairs = [
    ['failover', 'failover'],
    ['failover', 'switchover'],
    ['add-replica', 'down'],
  ].slice(0, runtime === 'docker' ? 1 : undefined)
  test.each(pairs)('obeys %s and %s at once, or refuses one', async (...commands) => {
    await using cluster = await CliCluster.up(runtime)
    await expectOrderly(cluster, commands)
  })

  if (runtime === 'docker') return // the lock knows nothing of the runtime

  test('is changed by one after the other with --wait', async () => {
    await using cluster = await CliCluster.describe(runtime)
    const results = await Promise.all(['up', 'up', 'failover'].map(command => cluster.run(command, '--wait')))
    for (const result of results) expect(result).toMatchObject({ exitCode: 0, stderr: '' })
    await expectAllStreaming(cluster)
  })
}

if (process.env['LOCK_PAIRS'] === 'all') {
  describeEachRuntime('a cluster that two commands change', runtime => {
    const pairs = CHANGING.flatMap((first, at) => CHANGING.slice(at).map(second => ({ first, second })))
    test.each(pairs)('is well after $first and $second at once, or can be brought up', async ({ first, second }) => {
      await using cluster = await CliCluster.up(runtime)
      const results = await Promise.all([cluster.run(...first), cluster.run(...second)])
      for (const { stderr } of results) expect(stderr).not.toMatch(/^bug: |^ +at |does not hold/m)
      const { exitCode, stdout, stderr } = await cluster.run('up')
      expect({ exitCode, stderr }, stdout).toEqual({ exitCode: 0, stderr: '' })
      const nodes = await cluster.nodes() // one more when a replica was added, and not removed again
      await expectAllStreaming(cluster, { replicas: nodes.length - 1 })
    })
  })
}

describeEachRuntime(
  'a cluster that somebody changes',
  runtime => {
    test.each(CHANGING)('is refused to %s', async (...command) => {
      const cluster = await CliCluster.describe(runtime)
      await using _lab = await openLab({ environment: cluster.environment, lock: { command: 'this test' } })
      expectRefusal(await cluster.run(...command), {
        exitCode: 1,
        fact: new RegExp(`^"this test" is changing this cluster \\(process ${process.pid} of .+, since 20`),
        hint: `kill ${process.pid}`,
      })
    })

    test('is open to those who only look', async () => {
      await using cluster = await CliCluster.up(runtime)
      await using _lab = await openLab({ environment: cluster.environment, lock: { command: 'this test' } })
      for (const command of LOOKING)
        expect(await cluster.run(...command), command.join(' ')).toMatchObject({ exitCode: 0 })
    })
  },
  ['local'],
)

/** At least one is done, and who is not is told why; then the cluster is well, or can be brought up. */
async function expectOrderly(cluster: CliCluster, commands: readonly string[]): Promise<void> {
  const results = await Promise.all(commands.map(command => cluster.run(command)))
  const undone = results.filter(({ exitCode }) => exitCode !== 0)
  expect(undone.length, JSON.stringify(results)).toBeLessThan(results.length)
  for (const result of undone) expectRefusal(result, { exitCode: 1, fact: /is changing this cluster|no node answers/ })
  const { exitCode, stdout, stderr } = await cluster.run('up')
  expect({ exitCode, stderr }, stdout).toEqual({ exitCode: 0, stderr: '' })
}
