/**
 * Replication: what is written on the primary can be read on the replicas.
 * Question: how far behind are they, and what can they not do?
 * You will see: three names arrive on both replicas, an INSERT refused there, and the lag after a burst of 100 inserts.
 * Run: pnpm run demo
 */
import assert from 'node:assert/strict'
import {
  caughtUp,
  count,
  demo,
  formatBytes,
  formatMs,
  narrateStatus,
  parseLsn,
  runBurst,
  standbysOf,
  waitUntil,
} from '../src/index.ts'

const CATCH_UP = { timeoutMs: 30_000, hint: 'pnpm run status shows how far it is; pnpm run logs NODE shows why.' }

export default demo(
  {
    name: 'demo',
    title: 'Replication: write on the primary, read on the replicas',
    summary: 'write on the primary, read on the replicas, measure the lag of a burst',
    options: { inserts: count('--inserts <n>', { min: 1, max: 100_000, standard: 100 }, 'inserts in the burst') },
  },
  async ({ cluster, narrate, signal, options }) => {
    narrate.step('Who is who', 'Roles are not in any file: each server is asked whether it is in recovery.')
    const all = await cluster.status(signal)
    const primary = await cluster.primary(signal)
    const replicas = standbysOf(all).map(({ name }) => name)
    narrateStatus(narrate, all)
    const senders = await cluster.query(
      primary.name,
      'SELECT application_name, state, sync_state, replay_lsn FROM pg_stat_replication',
      { signal },
    )
    for (const row of senders) narrate.say(Object.values(row).join(' | '))

    narrate.step('A table on the primary', 'Standbys are byte-for-byte copies: it appears there by itself.')
    await cluster.query(
      primary.name,
      'CREATE TABLE IF NOT EXISTS users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, email text)',
      { as: 'superuser', signal },
    )

    narrate.step('Alice, Bob and Charlie are written on the primary')
    const written = await cluster.query<{ id: string; name: string }>(
      primary.name,
      `INSERT INTO users (name, email) VALUES ('Alice', 'alice@example.com'), ('Bob', 'bob@example.com'), ('Charlie', 'charlie@example.com') RETURNING id, name`,
      { as: 'superuser', signal },
    )
    const ids = written.map(({ id }) => id).join(', ')
    narrate.say(written.map(({ id, name }) => `${id} ${name}`).join(' | '))

    narrate.step(
      'And read on both replicas',
      'Each has them as soon as it has replayed the WAL up to where the primary was.',
    )
    const [end] = await cluster.query<{ lsn: string }>(primary.name, 'SELECT pg_current_wal_lsn()::text AS lsn', {
      signal,
    })
    for (const replica of replicas) {
      await waitUntil(caughtUp(cluster, replica, parseLsn(end?.lsn ?? '')), { ...CATCH_UP, signal })
      const rows = await cluster.query<{ name: string }>(
        replica,
        `SELECT name FROM users WHERE id IN (${ids}) ORDER BY id`,
        { as: 'superuser', signal },
      )
      narrate.say(rows.map(({ name }) => name).join(' | '))
      assert.deepEqual(
        rows.map(({ name }) => name),
        ['Alice', 'Bob', 'Charlie'],
        `${replica} has what the primary acknowledged`,
      )
    }

    narrate.step('A replica refuses writes', "It replays the primary's WAL, and writes none of its own.")
    for (const replica of replicas) {
      const refusal = await cluster.attempt(replica, `INSERT INTO users (name) VALUES ('Mallory')`, {
        as: 'superuser',
        signal,
      })
      narrate.say(`ERROR ${refusal?.code}: ${refusal?.message}`)
      assert.equal(refusal?.code, '25006', `${replica} refuses to write: read_only_sql_transaction`)
    }

    narrate.step(
      `A burst of ${options.inserts} inserts`,
      'One connection, as fast as it goes. How far behind is each replica when the last one is acknowledged?',
    )
    const burst = await runBurst(cluster, {
      insert: `INSERT INTO users (name, email) VALUES ('burst ' || $1::int, 'burst@example.com')`,
      count: 'SELECT count(*) FROM users',
      inserts: options.inserts,
      timeoutMs: CATCH_UP.timeoutMs,
      signal,
    })
    narrate.table(
      ['node', 'rows', 'behind', 'holds all after', 'looked every'],
      [
        [burst.primary.node, burst.primary.count, '', '', ''],
        ...burst.standbys.map(s => [
          s.node,
          s.count,
          formatBytes(s.bytesBehind),
          formatMs(s.caughtUpMs),
          formatMs(s.resolutionMs),
        ]),
      ],
    )

    narrate.step('Summary')
    const slowest = Math.max(...burst.standbys.map(s => s.caughtUpMs))
    narrate.say(
      `${options.inserts} inserts took ${formatMs(burst.burstMs)}; every replica held all of them at most ${formatMs(slowest)} later.`,
    )
    narrate.say(
      'Asynchronous replication: the primary did not wait for that. What if it had died in between? pnpm run failover',
    )
    const counts = await Promise.all(
      replicas.map(replica =>
        cluster.query<{ count: string }>(replica, 'SELECT count(*) FROM users', { as: 'superuser', signal }),
      ),
    )
    for (const [row] of counts) assert.equal(Number(row?.count), burst.primary.count, 'every replica holds every row')
    return { version: 1, runtime: cluster.runtime.name, inserts: options.inserts, ...burst }
  },
)
