/**
 * Slots, and the disk.
 * Question: what does a replication slot do for a standby that is away, and what does it do to the disk?
 * You will see: a standby that comes back to WAL that was kept for it, one that comes back to WAL that was not, and a slot
 * that nobody uses.
 * Run: pnpm run lesson slots [--step]
 */
import assert from 'node:assert/strict'
import * as lab from '../src/demo/index.ts'

const LIMIT = { timeoutMs: 60_000 }
/** More than wal_keep_size, which the compose file sets to 128 MB: that is kept with or without a slot. */
const WRITTEN_BYTES = 192 * 1024 * 1024
const BURST_BYTES = 8 * 1024 * 1024

export default lab.demo(
  {
    name: 'slots',
    title: 'Slots, and the disk',
    question: 'What does a replication slot do for a standby that is away, and what does it do to the disk?',
    learnt:
      'A slot makes the primary keep the WAL that its standby has not confirmed, however long that is away: then it comes back by itself. Without a slot the WAL is recycled, and the standby must be cloned anew. The other side: a slot that nobody uses keeps WAL until the disk is full. max_slot_wal_keep_size is the limit (1 GB here); past it the slot is lost, not the disk. Watch restart_lsn, and drop the slots of standbys that are gone for good.',
    summary: 'let a standby be away with and without its slot, and find a slot that nobody uses',
    options: {},
  },
  async ({ cluster, narrate, signal, step }) => {
    const limits = { ...LIMIT, signal }
    const learner = { as: 'superuser', signal } as const
    const primary = (await cluster.primary(signal)).name
    const away = lab.standbysOf(await cluster.status(signal)).at(-1)?.name ?? ''
    const slot = { values: [away], ...learner }

    await step(`${away} goes away, and the primary goes on`, 'Its slot says from where on it will want the WAL.', [
      'pnpm run status',
    ])
    await lab.shutDown(cluster, away, signal)
    await writeWal(cluster, primary, narrate)
    const QUESTION = `SELECT slot_name, active, wal_status, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint AS retained
  FROM pg_replication_slots WHERE slot_name = $1`
    const kept = await cluster.query<{ retained: string }>(primary, QUESTION, slot)
    narrate.rows(kept)
    const retained = Number(kept[0]?.retained)
    assert.ok(retained >= WRITTEN_BYTES, 'the slot keeps all that was written meanwhile')

    await step(`${away} comes back`, 'It asks for the WAL from where it was, and all of it is there.')
    const before = await systemOf(cluster, primary)
    narrate.event({ kind: 'command', node: away, text: await cluster.runtime.start(away, { signal }) })
    narrate.say(lab.describeStatus(await lab.waitUntil(lab.streaming(cluster, away, primary), limits)))

    await step('The same without its slot', 'As when a primary was promoted by hand, and nobody made the slots there.')
    await lab.shutDown(cluster, away, signal)
    await cluster.query(primary, 'SELECT pg_drop_replication_slot($1)', slot)
    await writeWal(cluster, primary, narrate)
    const back = await lab.rejoin(cluster, away, limits)
    narrate.say(`${away} is back by ${back.by}: ${back.why}`)
    assert.equal(back.by, 'clone', 'the WAL that it needed is gone')
    assert.equal(await systemOf(cluster, primary), before, 'the primary was not touched')

    await step('A slot that nobody uses', 'Left by a backup tool or a standby that was given up.', ['pnpm run status'])
    await cluster.query(primary, "SELECT pg_create_physical_replication_slot('forgotten', true)", learner)
    await using _drop = {
      [Symbol.asyncDispose]: async () => {
        await cluster.query(primary, "SELECT pg_drop_replication_slot('forgotten')", { as: 'superuser' })
      },
    }
    await writeWal(cluster, primary, narrate)
    lab.narrateStatus(narrate, await cluster.status(signal))
    const { slots, currentLsn } = await cluster.primary(signal)
    const forgotten = slots.find(({ slotName }) => slotName === 'forgotten')?.restartLsn ?? currentLsn
    assert.ok(lab.bytesBehind(currentLsn, forgotten) >= WRITTEN_BYTES, 'it keeps WAL for nobody')
    return {
      ...{ version: 1, runtime: cluster.runtime.name, writtenBytes: WRITTEN_BYTES, retainedBytes: retained },
      ...{ withoutSlot: back, forgottenBytes: lab.bytesBehind(currentLsn, forgotten) },
    }
  },
)

/** WAL records without any table; and a checkpoint, after which WAL that nobody needs is recycled. */
async function writeWal(cluster: lab.Cluster, primary: string, narrate: lab.Narrator): Promise<void> {
  await using session = await cluster.connect(primary, { as: 'superuser' })
  const message = `SELECT pg_logical_emit_message(false, 'lab', repeat('x', ${BURST_BYTES}))`
  const times = WRITTEN_BYTES / BURST_BYTES
  narrate.event({ kind: 'sql', node: primary, text: `${message} -- ${times} times; CHECKPOINT` })
  for (let written = 0; written < times; written++) await session.query(message, [], LIMIT)
  await session.query('CHECKPOINT', [], LIMIT)
}

const systemOf = async (cluster: lab.Cluster, node: string): Promise<string> =>
  JSON.stringify(await cluster.query(node, 'SELECT pg_postmaster_start_time()::text'))
