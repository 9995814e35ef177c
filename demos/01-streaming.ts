/**
 * Replication: what is written on the primary can be read on the replicas.
 * Question: how far behind are they, and what can they not do?
 * You will see: three names arrive on both replicas, an INSERT refused there, and the lag after a burst of 100 inserts.
 * Run: pnpm run demo [--inserts N]
 */
import assert from 'node:assert/strict'
import * as lab from '../src/demo/index.ts'

const LIMIT = { timeoutMs: 30_000, hint: 'pnpm run status shows how far each node is; pnpm run logs NODE shows why.' }

const CREATE =
  'CREATE TABLE IF NOT EXISTS users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, email text)'
const INSERT = `INSERT INTO users (name, email) VALUES
  ('Alice', 'alice@example.com'), ('Bob', 'bob@example.com'), ('Charlie', 'charlie@example.com') RETURNING id, name`
const REPLICATION = 'SELECT application_name, state, sync_state, replay_lsn FROM pg_stat_replication'

export default lab.demo(
  {
    name: 'streaming',
    title: 'Replication: write on the primary, read on the replicas',
    question: 'How far behind are the replicas, and what can they not do?',
    learnt:
      'A standby is a byte-for-byte copy that replays the WAL of its primary. The primary does not wait for it, so what is read there can be older than what was just acknowledged: ask for the position (pg_last_wal_replay_lsn) when that matters. It refuses every write with SQLSTATE 25006.',
    summary: 'write on the primary, read on the replicas, measure the lag of a burst',
    options: {
      inserts: lab.countOption('--inserts <n>', { min: 1, max: 100_000, standard: 100 }, 'inserts in the burst'),
    },
  },
  async ({ cluster, narrate, signal, options, step }) => {
    const learner = { as: 'superuser', signal } as const

    await step('Who is who', 'Roles are not in any file: each server is asked whether it is in recovery.', [
      'pnpm run psql standby -c "SELECT pg_is_in_recovery()"',
    ])
    const all = await cluster.status(signal)
    const primary = lab.primaryOf(all).name
    const replicas = lab.standbysOf(all).map(({ name }) => name)
    lab.narrateStatus(narrate, all)
    narrate.rows(await cluster.query(primary, REPLICATION, learner))

    await step('A table on the primary', 'Standbys are byte-for-byte copies: it appears there by itself.', [
      'pnpm run psql standby -c "\\d users"',
    ])
    await cluster.query(primary, CREATE, learner)

    await step('Alice, Bob and Charlie are written on the primary')
    const written = await cluster.query<{ id: string; name: string }>(primary, INSERT, learner)
    narrate.rows(written)

    await step(
      'And read on both replicas',
      'Each has them once it has replayed the WAL up to where the primary is now.',
      ['pnpm run psql standby -c "SELECT * FROM users ORDER BY id DESC LIMIT 3"'],
    )
    const SELECT = `SELECT id, name FROM users WHERE id IN (${written.map(({ id }) => id).join(', ')}) ORDER BY id`
    const [end] = await cluster.query<{ lsn: string }>(primary, 'SELECT pg_current_wal_lsn()::text AS lsn', learner)
    for (const replica of replicas) {
      await lab.waitUntil(lab.caughtUp(cluster, replica, lab.parseLsn(end?.lsn ?? '')), { ...LIMIT, signal })
      const read = await cluster.query(replica, SELECT, learner)
      narrate.rows(read)
      assert.deepEqual(read, written, `${replica} has what the primary acknowledged`)
    }

    await step('A replica refuses writes', "It replays the primary's WAL, and writes none of its own.")
    for (const replica of replicas) {
      const refusal = await cluster.attempt(replica, "INSERT INTO users (name) VALUES ('Mallory')", learner)
      narrate.say(`ERROR ${refusal?.code}: ${refusal?.message}`)
      assert.equal(refusal?.code, '25006', `${replica} refuses to write: read_only_sql_transaction`)
    }

    await step(
      `A burst of ${options.inserts} inserts`,
      'One connection, as fast as it goes. How far behind is each replica when the last one is acknowledged?',
    )
    const servers = await lab.serversOf(cluster, signal)
    const insert = "INSERT INTO users (name, email) VALUES ('burst ' || $1::int, 'burst@example.com')"
    narrate.event({ kind: 'sql', node: primary, text: `${insert} -- ${options.inserts} times` })
    const burst = await lab.runBurst(servers, { insert, inserts: options.inserts, timeoutMs: LIMIT.timeoutMs, signal })
    const lags = lab.lagsOf(burst)
    lab.narrateBurst(narrate, lags, options.inserts)
    const [count] = await cluster.query<{ count: string }>(primary, 'SELECT count(*) FROM users', learner)
    for (const replica of replicas) {
      const [row] = await cluster.query<{ count: string }>(replica, 'SELECT count(*) FROM users', learner)
      assert.equal(row?.count, count?.count, `${replica} holds every row in the end`)
    }

    await step('Summary')
    const slowest = lab.formatMs(Math.max(...lags.map(({ drainMs }) => drainMs ?? Infinity)))
    narrate.say(
      `${options.inserts} inserts took ${lab.formatMs(lab.durationOf(burst))}; each replica held them all within ${slowest} more.`,
    )
    narrate.say('The primary did not wait for that. How long, insert by insert? pnpm run lag')
    narrate.say('What if it had died in between? pnpm run failover')
    return {
      ...{ version: 1, runtime: cluster.runtime.name, inserts: options.inserts, burstMs: lab.durationOf(burst) },
      primary: { node: primary, count: Number(count?.count) },
      standbys: lags,
    }
  },
)
