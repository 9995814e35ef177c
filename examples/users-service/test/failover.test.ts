/**
 * The service, while its cluster fails: under load over HTTP, and judged by what is in the table afterwards.
 */
import { clusterTest } from 'pg-failover-lab/vitest'
import type { Entry } from '../src/activity-log.ts'
import { Client, survivorsOf } from './client.ts'
import { activityOf, listening, readyz, until, untilReadyz, valueOf } from './support.ts'

// A commit waits for one standby, so a crash may lose nothing; what is lost without that is in lost.test.ts.
const test = clusterTest({ synchronous: 'one' })

// What it came to on two cores is in README.md; this is for a machine that does much else, too.
const LIMIT_MS = 30_000
const RATE = { ratePerSecond: 15, requestTimeoutMs: 30_000 }

test('a crash: nothing is lost or made twice, no client is told, and who writes sees it', async ({
  cluster,
  expect,
}) => {
  await using service = await listening(cluster, { FIND_PRIMARY_MS: '20000' })
  const client = new Client(service.url)
  await using load = cluster.load({ ...RATE, send: client.send })
  await load.acknowledges(15)

  await cluster.crash()
  const writes = await untilReadyz(service, { for: 'writes', status: 503 })
  expect(writes.body['writes']).toMatchObject({ ready: false, basedOn: expect.stringContaining('no primary') })
  const reads = await readyz(service, 'reads')
  expect(reads.body).toMatchObject({ ready: true, reads: { basedOn: expect.stringContaining('(standby) answered') } })
  expect(await valueOf(service, 'users_primary_known')).toBe(0)
  await cluster.failover({ fault: 'none' })
  await load.acknowledges(15)

  const outcome = await load.judge({ survivors: () => survivorsOf(cluster) })
  await client.settled()
  expect(outcome).toHaveLostNothing()
  expect(outcome).toHaveDuplicatedNothing()
  expect(outcome).toHaveRecoveredWithin(LIMIT_MS)
  expect(client.answers).toEqual({ 201: outcome.writes.attempted })
  expect(client.notSeen).toEqual([])
  expect(client.reads['standby']).toBeGreaterThan(0)
  expect((await readyz(service, 'writes')).status).toBe(200)
  expect(await valueOf(service, 'users_primary_known')).toBe(1)
  expect(await valueOf(service, 'users_primary_changes_total')).toBe(2)
  expect(await valueOf(service, 'users_outage_seconds_total')).toBeGreaterThan(0)
})

test('a switchover: no client is told, there and back', async ({ cluster, expect }) => {
  await using service = await listening(cluster, { FIND_PRIMARY_MS: '20000' })
  const client = new Client(service.url)
  await using load = cluster.load({ ...RATE, send: client.send })
  await load.acknowledges(15)
  const { oldPrimary } = await cluster.switchover()
  await load.acknowledges(15)
  await cluster.switchover({ to: oldPrimary })
  await load.acknowledges(15)
  const outcome = await load.judge({ survivors: () => survivorsOf(cluster) })
  await client.settled()
  expect(outcome).toHaveLostNothing()
  expect(outcome).toHaveDuplicatedNothing()
  expect(outcome).toHaveRecoveredWithin(LIMIT_MS)
  expect(client.answers).toEqual({ 201: outcome.writes.attempted })
  expect(client.notSeen).toEqual([])
})

test('a black hole: clients are told that a write may have happened, and sending it again makes no second user', async ({
  cluster,
  expect,
}) => {
  await using service = await listening(cluster, { FIND_PRIMARY_MS: '500' })
  const client = new Client(service.url)
  await using load = cluster.load({ ...RATE, send: client.send })
  await load.acknowledges(15)

  const hole = await cluster.blackHole()
  await untilReadyz(service, { for: 'writes', status: 503 })
  expect((await readyz(service, 'reads')).status).toBe(200)
  await client.sees('/problems/write-may-have-happened')
  await hole.heal() // and what was sent into it arrives late
  await load.acknowledges(15)

  const outcome = await load.judge({ survivors: () => survivorsOf(cluster) })
  await client.settled()
  expect(outcome).toHaveLostNothing()
  expect(outcome).toHaveDuplicatedNothing()
  expect(outcome).toHaveRecoveredWithin(LIMIT_MS)
  expect(client.answers).toEqual({ 201: outcome.writes.attempted, 503: expect.any(Number) })
  expect(Object.keys(client.problems)).toEqual(['/problems/write-may-have-happened'])
  expect(client.notSeen).toEqual([])
})

test('the activity log tells every user once, and the gap that it had', async ({ cluster, expect }) => {
  await using service = await listening(cluster, { FIND_PRIMARY_MS: '20000', ACTIVITY_LOG: 'on' })
  await until('it to listen', async () => [(await activityOf(service)).isListening, undefined])
  const client = new Client(service.url)
  await using load = cluster.load({ ...RATE, send: client.send })
  await load.acknowledges(15)
  await cluster.failover({ fault: 'crash' })
  await load.acknowledges(15)
  await load.stop()
  const survivors = await survivorsOf(cluster)

  const told = ({ kind }: Entry): boolean => kind === 'user'
  await until('all to be told', async () => {
    const { entries } = await activityOf(service)
    return [entries.filter(told).length >= survivors.length, entries.length]
  })
  const { entries, isListening } = await activityOf(service)
  const names = entries.flatMap(entry => (entry.kind === 'user' ? [entry.name] : []))
  expect([...names].sort()).toEqual([...survivors].sort())
  const gaps = entries.flatMap(entry => (entry.kind === 'gap' ? [entry] : []))
  expect(gaps.length).toBeGreaterThan(0)
  for (const { from, to, gone } of gaps) {
    expect(Date.parse(from)).toBeLessThan(Date.parse(to))
    expect(gone).toEqual([])
  }
  const late = entries.filter(entry => entry.kind === 'user' && entry.isLate)
  expect(late).toHaveLength(gaps.reduce((sum, { found }) => sum + found, 0))
  expect(isListening).toBe(true)
  expect(await valueOf(service, 'users_activity_gaps_total')).toBe(gaps.length)
})
