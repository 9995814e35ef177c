/**
 * Slots follow the roles, whatever happens: the primary has one in use for each other node, a standby none.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  failover,
  formatLsn,
  healthy,
  met,
  notMet,
  rejoin,
  standbysOf,
  shutDown,
  up,
  waitUntil,
  type Cluster,
  type Condition,
  type Lsn,
  type Slot,
} from '../../src/index.ts'
import { inflict, type FailoverFault } from '../../src/faults/power.ts'
import { createSlots } from '../../src/cluster/slots.ts'
import { slotWarnings } from '../../src/report/slots.ts'
import { ROOT } from '../support/cli.ts'
import { describeEachRuntime, startTestCluster, TIMEOUT_MS } from '../support/runtimes.ts'

const LIMIT = { timeoutMs: TIMEOUT_MS }
/** Two failovers, three returns. */
const MANY_TIMEOUT_MS = 300_000

describeEachRuntime(
  'slots',
  runtime => {
    test(
      'follow the roles through crash, shutdown, return and restart; what a user made stays, and is named',
      async () => {
        await using cluster = await startTestCluster(runtime)
        await expectSlotsFollowRoles(cluster)

        const second = await replacePrimary(cluster, 'crash')
        expect((await slotOf(cluster, second, 'primary')).restartLsn, 'retained for a node that is down').toBeNull()
        expect(await heldByStandbys(cluster)).toEqual([])
        await rejoin(cluster, 'primary', LIMIT)
        await expectSlotsFollowRoles(cluster)

        await cluster.query(second, "SELECT pg_create_physical_replication_slot('made_by_hand', true)")
        await replacePrimary(cluster, 'stop')
        // It comes back by itself, with the slots that it had when it was the primary.
        await cluster.runtime.start(second)
        await waitUntil(healthy(cluster), LIMIT)
        const left = cluster.nodes.map(({ name }) => name).filter(name => name !== second)
        const byHand = `slot made_by_hand on ${second} belongs to no node of the cluster, and retains `
        const [ofUser, ...leftover] = slotWarnings(await cluster.status())
        expect(ofUser).toContain(byHand)
        expect(leftover).toHaveLength(left.length)
        for (const [at, name] of left.sort().entries())
          expect(leftover[at]).toMatch(new RegExp(`^slot ${name} on ${second}, a standby, retains .* pnpm run up`))

        await up(cluster, LIMIT)
        expect(await heldByStandbys(cluster)).toEqual([`made_by_hand on ${second}`])
        expect(slotWarnings(await cluster.status())).toEqual([expect.stringContaining(byHand)])
        await cluster.query(second, "SELECT pg_drop_replication_slot('made_by_hand')")

        await shutDown(cluster, second)
        await cluster.runtime.start(second)
        await expectSlotsFollowRoles(cluster)
      },
      MANY_TIMEOUT_MS,
    )

    test('that are lost are warned of, and made anew, so that they retain WAL again', async () => {
      using compose = composeFolder({ max_slot_wal_keep_size: '32MB', wal_keep_size: '32MB' })
      await using cluster = await startTestCluster(runtime, { file: compose.file })
      await shutDown(cluster, 'replica1')
      await writeSegments(cluster, 3)
      expect(slotWarnings(await cluster.status())).toEqual([
        expect.stringMatching(/^slot replica1 on primary has outgrown max_slot_wal_keep_size \(32 MB\)/),
      ])
      await writeSegments(cluster, 2)
      await cluster.query('primary', 'CHECKPOINT', { as: 'superuser' })
      expect(slotWarnings(await cluster.status())).toEqual([
        expect.stringMatching(/^slot replica1 on primary is lost: .* pnpm run up clones replica1 anew/),
      ])

      await cluster.withSession('primary', session => createSlots(cluster, 'primary', session))
      expect(await slotOf(cluster, 'primary', 'replica1')).toMatchObject({ active: false, walStatus: null })
      await cluster.runtime.discard('replica1')
      await cluster.runtime.start('replica1')
      await waitUntil(healthy(cluster), LIMIT)
      expect(await slotOf(cluster, 'primary', 'replica1')).toMatchObject({ active: true, walStatus: 'reserved' })
      await expectSlotsFollowRoles(cluster)
    })
  },
  ['local'],
)

async function expectSlotsFollowRoles(cluster: Cluster): Promise<void> {
  const primary = await waitUntil(healthy(cluster), LIMIT)
  const all = await cluster.status()
  expect(primary.slots.map(({ slotName, active }) => ({ slotName, active }))).toEqual(
    standbysOf(all).map(({ name }) => ({ slotName: name, active: true })),
  )
  expect(await heldByStandbys(cluster)).toEqual([])
  expect(slotWarnings(all)).toEqual([])
}

async function heldByStandbys(cluster: Cluster): Promise<string[]> {
  return standbysOf(await cluster.status()).flatMap(({ name, slots }) =>
    slots.map(({ slotName }) => `${slotName} on ${name}`),
  )
}

async function slotOf(cluster: Cluster, node: string, name: string): Promise<Slot> {
  const status = await cluster.nodeStatus(node)
  return (status.role === 'unreachable' ? [] : status.slots).find(({ slotName }) => slotName === name)!
}

/** Crashes or stops the primary, and promotes another; returns that one. The old one stays down. */
async function replacePrimary(cluster: Cluster, fault: FailoverFault): Promise<string> {
  const { name } = await cluster.primary()
  await inflict(cluster, name, { fault })
  return (await failover(cluster, name, LIMIT)).newPrimary
}

/** Ends as many segments of 16 MB, of which only the first bytes are written; returns when replica2 has them. */
async function writeSegments(cluster: Cluster, count: number): Promise<void> {
  for (let written = 0; written < count; written++) {
    await cluster.query('primary', "SELECT pg_logical_emit_message(false, 'slots', 'a segment must not be empty')")
    await cluster.query('primary', 'SELECT pg_switch_wal()', { as: 'superuser' })
  }
  const { currentLsn } = await cluster.primary()
  await waitUntil(confirmed(cluster, 'replica2', currentLsn), LIMIT)
}

/** The standby has said that it has flushed so much: only then does its slot let go of it. */
const confirmed = (cluster: Cluster, slot: string, lsn: Lsn): Condition<undefined> => ({
  what: `the slot ${slot} to reach ${formatLsn(lsn)}`,
  observe: async () => {
    const { restartLsn } = await slotOf(cluster, 'primary', slot)
    return restartLsn !== null && restartLsn >= lsn ? met(undefined) : notMet(formatLsn(restartLsn ?? (0n as Lsn)))
  },
})

/** The lab's compose file with other settings, in a folder of its own with the folders that it binds. */
function composeFolder(settings: Readonly<Record<string, string>>): { readonly file: string } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), 'labtest-compose-'))
  for (const name of ['primary-init', 'replica-entrypoint'])
    cpSync(join(ROOT, name), join(folder, name), { recursive: true })
  let text = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8')
  for (const [name, value] of Object.entries(settings)) {
    const changed = text.replace(new RegExp(`--${name}=\\S+`), `--${name}=${value}`)
    expect(changed, `${name} is set in docker-compose.yml`).not.toBe(text)
    text = changed
  }
  const file = join(folder, 'docker-compose.yml')
  writeFileSync(file, text)
  return { file, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) }
}
