/**
 * What the service says of a write that a failover has lost. Nothing waits for a standby here.
 */
import { clusterTest } from 'pg-failover-lab/vitest'
import { activityOf, countUsers, listening, post, until, untilReadyz, type Answer } from './support.ts'

const test = clusterTest()
const ADA = { name: 'Ada', email: 'ada@example.com' }

test('whoever wrote what is lost is told so once, and can write it again with the same key', async ({
  cluster,
  expect,
}) => {
  await using service = await listening(cluster, { ACTIVITY_LOG: 'on' })
  const { app } = service
  await until('the activity log to listen', async () => [(await activityOf(service)).isListening, undefined])
  const cut = await cluster.cutFromWal()
  // Before it, so that the router knows the primary to be past the fork: of the first one it could say only that it does not know.
  await post(app, { name: 'Bob', email: 'bob@example.com' })
  const made = await post(app, ADA, { 'idempotency-key': 'k1' })
  expect(made.statusCode, made.body).toBe(201)
  const { id } = made.json<{ id: string }>()
  await until('the activity log to tell', async () => {
    const { entries } = await activityOf(service)
    return [entries.some(entry => entry.kind === 'user' && entry.id === id), entries]
  })
  await cluster.failover({ fault: 'crash' })
  await cut.heal()
  await untilReadyz(service, { for: 'writes', status: 200 })

  const read_token = String(made.headers['x-read-token'])
  const told = await app.inject({ url: '/users', cookies: { read_token } })
  expect([told.statusCode, told.json<Answer>().type], told.body).toEqual([409, '/problems/write-lost'])
  expect(told.headers['content-type']).toMatch(/^application\/problem\+json/)
  expect(told.headers['set-cookie']).toMatch(/^read_token=;.*Expires=Thu, 01 Jan 1970/)
  // As a browser asks then.
  expect((await app.inject({ url: '/users' })).json()).toEqual({ users: [], next: null })
  await until('the activity log to take it back', async () => {
    const { entries } = await activityOf(service)
    return [entries.some(entry => entry.kind === 'gap' && entry.gone.includes(id)), entries]
  })

  const again = await post(app, ADA, { 'idempotency-key': 'k1' })
  expect([again.statusCode, again.headers['idempotency-replayed']]).toEqual([201, undefined])
  expect(await countUsers(cluster)).toBe(1)
})
