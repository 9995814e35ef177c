/**
 * The interface, on a cluster that nothing happens to.
 */
import { clusterTest } from 'pg-failover-lab/vitest'
import { serviceFor } from './support.ts'

const test = clusterTest()

test('a user is made on the primary, and read by who made it from a standby', async ({ cluster, expect }) => {
  await using service = await serviceFor(cluster)
  const { app } = service
  const payload = { name: 'Ada', email: 'ada@example.com' }
  const made = await app.inject({ method: 'POST', url: '/users', payload })
  expect(made.statusCode, made.body).toBe(201)
  expect(made.headers['x-served-by']).toMatch(/ \(primary\)$/)
  const token = String(made.headers['x-read-token'])
  const read = await app.inject({ url: String(made.headers.location), headers: { 'x-read-token': token } })
  expect(read.statusCode, read.body).toBe(200)
  expect(read.headers['x-served-by']).toMatch(/ \(standby\)$/)
  expect(read.json()).toEqual(made.json())
  const list = await app.inject({ url: '/users', cookies: { read_token: token } })
  expect(list.json()).toEqual({ users: [made.json()], next: null })
})
