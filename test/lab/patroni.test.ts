/**
 * Patroni's stack over the lab's nodes: that it comes up, takes a cluster over and gives it back without a clone, changes the primary
 * without a failed write, and that the lab leaves alone what it does not manage.
 */
import pg from 'pg'
import { expect, inject, test } from 'vitest'
import { openLab, switchover } from '../../src/index.ts'
import type { StatusDocument } from '../../src/report/status.ts'
import { run } from '../../src/runtime/command.ts'
import { readIdentities, type Identity } from '../../src/stack/identity.ts'
import type { StackStatus } from '../../src/stack/status.ts'
import type { SwitchoversDocument } from '../../src/stack/under-load.ts'
import { CliCluster, expectAllStreaming, expectRefusal, ROOT } from '../support/cli.ts'
import { describeEachRuntime, TIMEOUT_MS } from '../support/runtimes.ts'
import { stackEnvironment } from '../support/stack-environment.ts'

const LIMIT = { timeoutMs: TIMEOUT_MS }
/** Two of them take longer than one test of other operations may. */
const MINUTES = { timeout: 300_000 }

describeEachRuntime(
  'the stack of Patroni',
  () => {
    test('comes up by plain docker compose, is left alone by the lab, and is given to it', MINUTES, async () => {
      await using cli = await CliCluster.describe('docker', await stackEnvironment())
      await composeUp(cli)

      expect(await roleAt(cli, 'HAPROXY_PRIMARY_PORT')).toBe('primary')
      expect(await roleAt(cli, 'HAPROXY_STANDBY_PORT')).toBe('standby')
      expect(await roleAt(cli, 'PGBOUNCER_PORT')).toBe('primary')
      const { document, narration } = await cli.json('stack', 'status', 'patroni')
      const { lock, haproxy, paused, members } = document as StackStatus
      expect(lock).toMatchObject({ holder: 'primary', ttlS: 30 })
      expect(lock!.ageS + lock!.endsInS).toBe(30)
      expect(haproxy).toEqual({ primary: ['primary'], standbys: ['replica1', 'replica2'] })
      expect(paused).toBe(false)
      // Not their state: what Patroni says of others is up to loop_wait old.
      expect(members.map(({ name, role }) => `${name} ${role}`)).toEqual([
        ...['primary leader', 'replica1 replica', 'replica2 replica'],
      ])
      expect(narration, 'what patronictl says, beside it').toMatch(/\| primary +\| primary\.replication +\| Leader/)

      const { nodes } = (await cli.json('status')).document as StatusDocument
      expect(nodes.map(({ role }) => role)).toEqual(['primary', 'standby', 'standby'])
      for (const command of ['up', 'failover', 'rejoin'])
        expectRefusal(await cli.run(command), {
          exitCode: 1,
          fact: 'patroni manages primary, replica1, replica2, and the lab changes nothing beside it',
          hint: 'stack down patroni gives the cluster back',
        })
      expect((await askWithoutPassword(cli)).status, 'a switchover asked for without the password').toBe(401)

      const before = await identities(cli)
      expect((await cli.run('stack', 'down', 'patroni')).exitCode).toBe(0)
      expect(await expectAllStreaming(cli)).toBe('primary')
      expect(await identities(cli)).toEqual(before)
      expectRefusal(await cli.run('stack', 'down', 'patroni'), {
        exitCode: 1,
        fact: 'Patroni manages no node of this cluster',
      })
    })

    test(
      'adopts a cluster of the lab, loses and fails no write in a switchover, and gives it back',
      MINUTES,
      async () => {
        await using cli = await CliCluster.up('docker', await stackEnvironment())
        await beginAs(cli, 'replica1')
        const before = await identities(cli)

        await interruptedUp(cli)
        const { exitCode, stdout, stderr } = await cli.run('stack', 'up', 'patroni')
        expect(exitCode, stdout + stderr).toBe(0)
        const { document } = await cli.json('stack', 'status', 'patroni')
        expect((document as StackStatus).lock?.holder, 'who was the primary').toBe('replica1')
        expect(await identities(cli), 'no clone').toEqual(before)

        const done = (await cli.json('stack', 'switchover', 'patroni', '--to', 'replica2'))
          .document as SwitchoversDocument
        expect(done).toMatchObject({ verdict: 'durable', writes: { failed: 0, indeterminate: 0, lost: 0 } })
        expect(done.writes.acknowledged).toBeGreaterThan(200)
        expect(done.trials).toMatchObject([{ oldPrimary: 'replica1', newPrimary: 'replica2' }])

        await expectToAbort(cli)

        expect((await cli.run('stack', 'down', 'patroni')).exitCode).toBe(0)
        expect(await expectAllStreaming(cli), 'whoever led by then').toBe('replica2')
        expect(await identities(cli), 'no clone').toEqual(before)
        expect(await valueAt(cli, 'REPLICA2_PORT', 'SELECT text FROM kept')).toBe('from before')
      },
    )
  },
  ['docker'],
)

test('the stack of Patroni is refused without Docker', async () => {
  if (inject('missing').local !== undefined) return
  const cli = await CliCluster.describe('local')
  expectRefusal(await cli.run('stack', 'up', 'patroni'), {
    exitCode: 1,
    fact: 'the stack of Patroni needs Docker, and this cluster runs as local processes',
    hint: 'LAB_RUNTIME=docker',
  })
  expectRefusal(await cli.run('stack', 'fly', 'patroni'), { exitCode: 2, fact: 'what to do with the stack is "fly"' })
  expectRefusal(await cli.run('stack', 'up'), { exitCode: 2, fact: "missing required argument 'patroni'" })
})

async function composeUp(cli: CliCluster): Promise<void> {
  const files = ['-f', 'docker-compose.yml', '-f', 'stacks/patroni/compose.yml']
  const argv = ['docker', 'compose', ...files, 'up', '-d', '--wait'] as const
  const up = await run([...argv], { environment: cli.environment, cwd: ROOT, timeoutMs: MINUTES.timeout })
  expect(up.exitCode, up.stderr).toBe(0)
}

/** With a row, and another primary than the one that the compose file begins with. */
async function beginAs(cli: CliCluster, primary: string): Promise<void> {
  await using lab = await openLab({ environment: cli.environment })
  await lab.cluster.query('primary', "CREATE TABLE kept AS SELECT 'from before' AS text", { as: 'superuser' })
  await switchover(lab.cluster, { to: primary, ...LIMIT })
}

/** Ctrl-C when the lab's servers are down, and Patroni's are not there yet. */
async function interruptedUp(cli: CliCluster): Promise<void> {
  const up = cli.start('stack', 'up', 'patroni')
  await up.shows('Patroni starts there first')
  up.interrupt()
  expect((await up.ended).exitCode).toBe(130)
}

/** A transaction that does not end: clients wait no longer than it is given, and go on with the old primary. */
async function expectToAbort(cli: CliCluster): Promise<void> {
  const long = await connect(cli, 'PGBOUNCER_PORT')
  try {
    await long.query('BEGIN')
    await long.query("INSERT INTO kept VALUES ('in a long transaction')")
    const command = ['stack', 'switchover', 'patroni', '--without-load', '--drain', '500ms']
    expectRefusal(await cli.run(...command), {
      exitCode: 1,
      fact: 'a transaction did not end within 500 ms: replica2 goes on as the primary',
      hint: '--drain',
    })
    const { document } = await cli.json('stack', 'status', 'patroni')
    expect(document).toMatchObject({ paused: false, lock: { holder: 'replica2' } })
    expect(await roleAt(cli, 'PGBOUNCER_PORT'), 'another client').toBe('primary')
    await long.query('ROLLBACK')
  } finally {
    await long.end()
  }
}

async function identities(cli: CliCluster): Promise<readonly Identity[]> {
  await using lab = await openLab({ environment: cli.environment })
  return await readIdentities(lab.cluster)
}

async function askWithoutPassword(cli: CliCluster): Promise<Response> {
  return await fetch(`http://127.0.0.1:${cli.environment['PRIMARY_REST_PORT']}/switchover`, {
    method: 'POST',
    body: JSON.stringify({ leader: 'primary', candidate: 'replica1' }),
    signal: AbortSignal.timeout(10_000),
  })
}

async function connect(cli: CliCluster, port: string): Promise<pg.Client> {
  const client = new pg.Client({
    ...{ host: '127.0.0.1', port: Number(cli.environment[port]), connectionTimeoutMillis: 10_000 },
    ...{ user: 'postgres', password: 'postgres', database: 'testdb' },
  })
  await client.connect()
  return client
}

async function valueAt(cli: CliCluster, port: string, question: string): Promise<unknown> {
  const client = await connect(cli, port)
  try {
    const { rows } = await client.query<{ text: unknown }>(question)
    return rows[0]?.text
  } finally {
    await client.end()
  }
}

const roleAt = async (cli: CliCluster, port: string): Promise<unknown> =>
  await valueAt(cli, port, "SELECT CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE 'primary' END AS text")
