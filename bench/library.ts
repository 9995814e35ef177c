/**
 * Clusters of tests: how long a test waits for one, against making three nodes with the bare programs.
 */
import { startCluster, type TestCluster } from '../src/index.ts'
import type { Sample } from './samples.ts'

export interface LibraryOptions {
  readonly runtime: 'docker' | 'local'
  readonly signal: AbortSignal
  /** Nothing to three nodes with the bare programs, measured in this run. */
  readonly floorUpMs: number
}

/** With the template made before: only the first test of a machine makes it. */
export async function measureLibrary({ runtime, signal, floorUpMs: floorMs }: LibraryOptions): Promise<Sample[]> {
  const start = (): Promise<TestCluster> => startCluster({ runtime, name: 'bench', signal })
  await (await start()).dispose()
  const { ms: startMs, value: cluster } = await timed(start)
  await using _cluster = cluster
  await cluster.query('CREATE TABLE a_test ()')
  const { ms: resetMs } = await timed(() => cluster.reset())
  await cluster.failover()
  const { ms: afterMs } = await timed(() => cluster.reset())
  const { ms: oneMs } = await timed(() => testFile(start))
  const { ms: fiveMs } = await timed(() => Promise.all(Array.from({ length: 5 }, () => testFile(start))))
  return [
    { name: 'start', floorMs, oursMs: startMs },
    { name: 'reset', floorMs, oursMs: resetMs },
    { name: 'failed over', floorMs, oursMs: afterMs },
    { name: 'five at once', floorMs: oneMs, oursMs: fiveMs },
  ]
}

/** What a file of two tests asks of the library. */
async function testFile(start: () => Promise<TestCluster>): Promise<void> {
  await using cluster = await start()
  await cluster.failover()
  await cluster.reset()
  await cluster.switchover()
}

async function timed<T>(work: () => Promise<T>): Promise<{ readonly ms: number; readonly value: T }> {
  const startedAt = performance.now()
  const value = await work()
  return { ms: performance.now() - startedAt, value }
}
