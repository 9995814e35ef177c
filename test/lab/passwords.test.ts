/**
 * Passwords of a local cluster: its own where nobody names one, and known to whoever may read its folder.
 */
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openLab, runTrial, up } from '../../src/index.ts'
import { connect } from '../../src/postgres/connection.ts'
import { catchLabError } from '../support/catch-lab-error.ts'
import { CliCluster } from '../support/cli.ts'
import { describeEachRuntime, startTestCluster, TIMEOUT_MS } from '../support/runtimes.ts'

const DEFAULTS = {
  POSTGRES_PASSWORD: 'postgres',
  LAB_PASSWORD: 'lab_password',
  REPLICATION_PASSWORD: 'replicator_password',
}

describeEachRuntime(
  'the passwords of a cluster',
  runtime => {
    test('are of its own: those of the compose file open nothing, and the address has the right one', async () => {
      await using cluster = await CliCluster.describe(runtime)
      await using early = await openLab({ environment: cluster.environment })
      await using lab = await openLab({ environment: cluster.environment })
      await up(lab.cluster, { timeoutMs: TIMEOUT_MS })
      const url = (await cluster.run('psql', '--url')).stdout.trim()
      await using session = await connect({ url })
      expect(await session.query('SELECT current_user AS who')).toEqual([{ who: 'postgres' }])

      const known = [DEFAULTS.POSTGRES_PASSWORD, DEFAULTS.LAB_PASSWORD]
      for (const [at, user] of ['postgres', 'lab'].entries()) {
        const as = { ...lab.cluster.clientEndpoint('replica1'), user, password: known[at]!, database: 'testdb' }
        await catchLabError('WRONG_PASSWORD', () => connect(as))
      }
      const file = join(cluster.environment['LAB_STATE_DIR']!, cluster.project, 'passwords.env')
      expect((await stat(file)).mode & 0o777).toBe(0o600)
      expect((await readFile(file, 'utf8')).match(/^\w+=[\w-]{24}$/gm)).toHaveLength(3)
      expect((await early.cluster.primary()).name, 'opened before there was a password').toBe('primary')

      await cluster.run('down')
      await cluster.run('up')
      expect((await early.cluster.primary()).name, 'and still open when there is another').toBe('primary')
      expect((await cluster.run('psql', '--url')).stdout.trim()).not.toBe(url)
    })

    test('are those that somebody names, also for a copy', async () => {
      await using own = await startTestCluster(runtime)
      const environment = { POSTGRES_PASSWORD: DEFAULTS.POSTGRES_PASSWORD }
      await using named = await startTestCluster(runtime, { environment, fromTemplate: true })
      await using copied = await startTestCluster(runtime, { environment, fromTemplate: true })
      for (const cluster of [named, copied]) {
        expect(cluster.topology.superuser.password).toBe('postgres')
        expect(cluster.topology.lab.password).toMatch(/^[\w-]{24}$/)
        expect(await cluster.query('replica2', 'SELECT 1 AS one', { as: 'superuser' })).toEqual([{ one: 1 }])
      }
      expect(own.topology.superuser.password).toMatch(/^[\w-]{24}$/)
    })
  },
  ['local'],
)

describeEachRuntime(
  'names and passwords that are only just possible',
  runtime => {
    test('are those of a cluster like any other', async () => {
      const environment = {
        ...{ POSTGRES_DB: 'my-db', POSTGRES_USER: 'Admin.x', LAB_USER: 'é', REPLICATION_USER: 'r@x' },
        ...{ POSTGRES_PASSWORD: `it's : \\ $x "q`, LAB_PASSWORD: ': \\\\ é', REPLICATION_PASSWORD: 'a b:c\\' },
        POSTGRES_INITDB_ARGS: '--data-checksums',
      }
      await using cluster = await startTestCluster(runtime, { environment })
      const { record } = await runTrial(cluster, { fault: 'crash', timeoutMs: TIMEOUT_MS })
      expect(record.writes.acknowledged).toBeGreaterThan(0)
      await up(cluster, { timeoutMs: TIMEOUT_MS })
      const who = await cluster.query('replica2', 'SELECT current_user AS who, current_database() AS at', {
        as: 'superuser',
      })
      expect(who).toEqual([{ who: 'Admin.x', at: 'my-db' }])
    })
  },
  ['docker', 'local'],
)
