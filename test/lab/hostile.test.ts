/**
 * What a user has set for himself must not lead the lab astray: settings of roles and of the database, and the environment that
 * libpq and node-postgres read.
 */
import { expect, test } from 'vitest'
import { readKept, rejoin, runTrial, switchover, up, type Cluster } from '../../src/index.ts'
import { CliCluster, expectAllStreaming } from '../support/cli.ts'
import { describeEachRuntime, startTestCluster, TIMEOUT_MS } from '../support/runtimes.ts'

const LIMIT = { timeoutMs: TIMEOUT_MS }

describeEachRuntime(
  'a cluster whose roles and database have settings of their own',
  runtime => {
    test('is failed over, rejoined, switched over and brought up as any other', async () => {
      await using cluster = await startTestCluster(runtime)
      await setEverything(cluster)
      await cluster.query('primary', 'SELECT pg_sleep(2.1)')
      const { record } = await runTrial(cluster, { fault: 'crash', ...LIMIT })
      expect(record.writes.acknowledged).toBeGreaterThan(0)
      await rejoin(cluster, record.oldPrimary, LIMIT)
      await readKept(cluster)
      await up(cluster, LIMIT)
      await switchover(cluster, LIMIT)
      expect((await up(cluster, LIMIT)).timeline).toBe(3)
    })
  },
  ['docker', 'local'],
)

const HOSTILE: Readonly<Record<string, string>> = {
  statement_timeout: '1ms',
  lock_timeout: '1ms',
  idle_session_timeout: '300ms',
  idle_in_transaction_session_timeout: '1ms',
  default_transaction_read_only: 'on',
  default_transaction_isolation: 'serializable',
  search_path: 'nowhere',
  bytea_output: 'escape',
  DateStyle: 'German',
  IntervalStyle: 'iso_8601',
  client_min_messages: 'error',
  extra_float_digits: '-3',
}

async function setEverything(cluster: Cluster): Promise<void> {
  const { superuser, database } = cluster.topology
  await using session = await cluster.connect('primary', { as: 'superuser' })
  const { serverVersion } = await cluster.primary()
  const since17 = Number.parseInt(serverVersion, 10) < 17 ? {} : { transaction_timeout: '2s' }
  const owners = [`ROLE lab`, `ROLE replicator`, `DATABASE ${database}`, `ROLE ${superuser.user}`]
  for (const owner of owners)
    for (const [name, value] of Object.entries({ ...HOSTILE, ...since17 }))
      await session.query(`ALTER ${owner} SET ${name} TO '${value}'`)
}

describeEachRuntime(
  'a command, whatever libpq is told by the environment',
  runtime => {
    test('works on the servers of its cluster', async () => {
      await using cluster = await CliCluster.up(runtime)
      const run = (...args: string[]): ReturnType<CliCluster['run']> => cluster.runWith(ENVIRONMENT, ...args)
      const psql = await run(
        'psql',
        'primary',
        '-Atc',
        "SELECT current_setting('cluster_name'), current_setting('work_mem')",
      )
      expect(psql).toMatchObject({ exitCode: 0, stdout: 'primary|4MB\n' })
      for (const args of [['status'], ['failover', '--rate', '200'], ['up'], ['rejoin', 'primary'], ['lag']])
        expect(await run(...args), args.join(' ')).toMatchObject({ exitCode: 0 })
      await expectAllStreaming(cluster)
    })
  },
  ['docker', 'local'],
)

/** https://www.postgresql.org/docs/current/libpq-envars.html, and what node-postgres has beside them. */
const ENVIRONMENT = {
  ...{
    PGHOST: 'nowhere',
    PGHOSTADDR: '127.0.0.7',
    PGPORT: '1',
    PGDATABASE: 'nothing',
    PGUSER: 'nobody',
    PGPASSWORD: 'wrong',
  },
  ...{ PGSERVICE: 'none', PGSERVICEFILE: '/nonexistent', PGPASSFILE: '/nonexistent', PGSSLMODE: 'verify-full' },
  ...{
    PGSSLNEGOTIATION: 'direct',
    PGSSLROOTCERT: '/nonexistent',
    PGCHANNELBINDING: 'require',
    PGGSSENCMODE: 'require',
  },
  ...{ PGREQUIREAUTH: 'none', PGTARGETSESSIONATTRS: 'standby', PGOPTIONS: '-c work_mem=64kB -c search_path=nowhere' },
  ...{
    PGCLIENTENCODING: 'LATIN1',
    PGCLIENT_ENCODING: 'LATIN1',
    PGREPLICATION: 'true',
    PGDATESTYLE: 'German',
    PGTZ: 'Asia/Tokyo',
  },
  ...{ PGCONNECT_TIMEOUT: '1', PGAPPNAME: 'not the lab', PGLOADBALANCEHOSTS: 'random', PGMINPROTOCOLVERSION: '3.2' },
}
