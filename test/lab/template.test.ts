/**
 * Clusters that are copied from a template: as good as one that was made, and none knows of another.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { crash, failover, rejoin, type Cluster } from '../../src/index.ts'
import { describeEachRuntime, startTestCluster, TEST_STATE_DIR, TIMEOUT_MS } from '../support/runtimes.ts'

const LIMIT = { timeoutMs: TIMEOUT_MS }

describeEachRuntime('a cluster from a template', runtime => {
  test('has addresses of its own, and every procedure works on it; what becomes of it is in no other', async () => {
    const folder = join(TEST_STATE_DIR, 'from-nothing')
    const start = (environment = {}): Promise<Cluster> =>
      startTestCluster(runtime, { environment: { LAB_STATE_DIR: folder, ...environment }, fromTemplate: true })
    const templates = (): string[] => readdirSync(join(folder, '.templates')).filter(name => !name.startsWith('.'))

    await using made = await start()
    expect(templates(), 'the first of its kind is kept').toHaveLength(1)
    await made.query('primary', 'CREATE TABLE in_the_first ()')
    await using copied = await start()
    const at = { name: 'primary', timeline: 1, systemIdentifier: (await made.primary()).systemIdentifier }
    expect(await copied.primary()).toMatchObject(at)
    expect(await conninfos(copied)).toEqual(copied.nodes.map(({ name }) => copied.runtime.standbyConninfo(name)))

    await crash(copied, 'primary')
    const { newPrimary } = await failover(copied, 'primary', LIMIT)
    expect(await rejoin(copied, 'primary', LIMIT)).toMatchObject({ by: 'rewind' })
    const tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    expect(await copied.query(newPrimary, tables)).toEqual([])
    expect(await made.primary()).toMatchObject(at)

    await using other = await start({ POSTGRES_DB: 'another' })
    expect(templates(), 'one for each kind').toHaveLength(2)
    expect((await other.primary()).systemIdentifier).not.toBe(at.systemIdentifier)
  })
})

/** Of each node, as its own server has read it. */
const conninfos = (cluster: Cluster): Promise<unknown[]> =>
  Promise.all(
    cluster.nodes.map(async ({ name }) => {
      const question = "SELECT current_setting('primary_conninfo') AS conninfo"
      return (await cluster.query<{ conninfo: string }>(name, question, { as: 'superuser' }))[0]?.conninfo
    }),
  )
