/**
 * What a server has outside its data directory. A container takes its own along; on the machine itself it must be released.
 */
import { expect, test } from 'vitest'
import { crash, streaming, waitUntil, type Cluster } from '../../src/index.ts'
import { run } from '../../src/runtime/command.ts'
import { describeEachRuntime, startTestCluster, TIMEOUT_MS } from '../support/runtimes.ts'
import { offline, serverProcesses } from '../support/servers.ts'

const LIMIT = { timeoutMs: TIMEOUT_MS }

describeEachRuntime(
  'shared memory',
  runtime => {
    test('goes with the data, whatever was killed', async () => {
      await using cluster = await startTestCluster(runtime)
      const pids: string[] = []
      const kill = async (node: string): Promise<void> => {
        pids.push(...(await serverProcesses(cluster, node)).map(String))
        await crash(cluster, node)
      }
      await kill('replica1')
      expect(await segmentsOf(pids), 'it can be seen').toHaveLength(1)
      await cluster.runtime.discard('replica1')
      await cluster.runtime.start('replica1')
      await waitUntil(streaming(cluster, 'replica1', 'primary'), LIMIT)
      expect(await segmentsOf(pids)).toEqual([])

      for (const { name } of cluster.nodes) await kill(name)
      const recovering = await killSingleUser(cluster, 'primary')
      expect(await segmentsOf([recovering]), 'it can be seen').toHaveLength(1)
      await cluster.runtime.down({ keepData: false })
      expect(await segmentsOf([...pids, recovering])).toEqual([])
    })

    test('a killed server starts again, though its lock file names a living process of the same user by now', async () => {
      await using cluster = await startTestCluster(runtime)
      const [other] = await serverProcesses(cluster, 'replica1')
      await crash(cluster, 'primary')
      await offline(cluster, 'primary', `sed -i.bak '1s/.*/${other}/' "$PGDATA/postmaster.pid"`)
      await cluster.runtime.start('primary')
      await waitUntil(streaming(cluster, 'replica1', 'primary'), LIMIT)
    })
  },
  ['local'],
)

/** As a rejoin leaves it that is killed while its server recovers. Returns that one's process id. */
async function killSingleUser(cluster: Cluster, node: string): Promise<string> {
  const script = `
    mkfifo "$PGDATA/../input" && exec 3<>"$PGDATA/../input"
    postgres --single -D "$PGDATA" -c dynamic_shared_memory_type=mmap template1 <&3 >/dev/null 2>&1 &
    until [ "$(sed -n 1p "$PGDATA/postmaster.pid" 2>/dev/null)" = "-$!" ] && [ "$(sed -n 7p "$PGDATA/postmaster.pid")" ]; do
      kill -0 $!
    done
    kill -KILL $! && { wait $! || rm "$PGDATA/../input"; } 2>/dev/null && echo $!`
  return (await offline(cluster, node, script)).trim()
}

/** The System V segments which these processes have made. */
async function segmentsOf(pids: readonly string[]): Promise<string[]> {
  const { stdout } = await run(['ipcs', '-m', '-p'], { environment: process.env })
  return stdout.split('\n').filter(line => pids.includes(line.trim().split(/\s+/).at(-2) ?? ''))
}
