/**
 * `up --address`: one address for the primary, for as long as the command runs, whatever other commands do meanwhile.
 */
import pg from 'pg'
import { expect, test } from 'vitest'
import { openLab, switchover } from '../../src/index.ts'
import { isFree, randomPort } from '../../src/runtime/ports.ts'
import { met, notMet, waitUntil } from '../../src/wait.ts'
import { CliCluster, expectRefusal } from '../support/cli.ts'
import { describeEachRuntime, TIMEOUT_MS } from '../support/runtimes.ts'

/** A port that is free, and so is the next one. */
async function freePair(): Promise<number> {
  for (;;) {
    const port = randomPort()
    const free = await Promise.all([port, port + 1].map(at => isFree({ host: '127.0.0.1', port: at })))
    if (!free.includes(false)) return port
  }
}

describeEachRuntime('an address of the cluster of the commands', runtime => {
  test('leads to the primary of the moment, and the next one to the standbys', async () => {
    await using cluster = await CliCluster.up(runtime)
    await using lab = await openLab({ environment: cluster.environment })
    const { superuser, database } = lab.topology
    const port = await freePair()
    const nodeAt = async (at: number): Promise<string> => {
      const client = new pg.Client({ host: '127.0.0.1', port: at, ...superuser, database })
      await client.connect()
      const { rows } = await client.query<{ name: string }>("SELECT current_setting('cluster_name') AS name")
      await client.end()
      return rows[0]!.name
    }
    const serving = cluster.start('up', '--address', String(port))
    await serving.shows('They follow the roles')
    expect(serving.output).toContain(`primary    postgresql://postgres@127.0.0.1:${port}/testdb`)
    expect(serving.output).not.toContain(superuser.password)
    expect(await nodeAt(port)).toBe('primary')
    expect(await nodeAt(port + 1)).toMatch(/^replica/)
    expectRefusal(await cluster.run('up', '--address', String(port)), { exitCode: 1, fact: `port ${port} on` })

    await switchover(lab.cluster, { to: 'replica2', timeoutMs: TIMEOUT_MS })
    const moved = {
      what: 'the address to lead to replica2',
      observe: async () => ((await nodeAt(port)) === 'replica2' ? met(undefined) : notMet('to another node')),
    }
    await waitUntil(moved, { timeoutMs: TIMEOUT_MS })
    await serving.shows('replica2 is the primary on timeline 2')
    serving.interrupt()
    expect((await serving.ended).exitCode).toBe(130)
    await expect(nodeAt(port)).rejects.toThrow()
  })
})
