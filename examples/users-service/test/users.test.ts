/**
 * The interface, on a cluster that nothing happens to.
 */
import { startCluster, type TestCluster } from 'pg-failover-lab'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createService } from '../src/service.ts'
import { configurationFor, countUsers, LogLines, post, serviceFor, tokenFor, type Answer } from './support.ts'

// One for all, which nothing happens to: the schema is dropped between two tests, and each makes it anew.
let cluster: TestCluster
beforeAll(async () => {
  cluster = await startCluster()
})
beforeEach(async () => {
  await cluster.query('DROP SCHEMA IF EXISTS users_service CASCADE', [], { as: 'superuser' })
  await cluster.waitForCatchUp()
})
afterAll(() => cluster.dispose())

const ADA = { name: 'Ada', email: 'ada@example.com' }

test('a user is made on the primary, and read by who made it from a standby', async () => {
  await using service = await serviceFor(cluster)
  const { app } = service
  const made = await post(app, ADA)
  expect(made.statusCode, made.body).toBe(201)
  expect(made.headers['x-served-by']).toMatch(/ \(primary\)$/)
  const token = String(made.headers['x-read-token'])
  const read = await app.inject({ url: String(made.headers.location), headers: { 'x-read-token': token } })
  expect(read.statusCode, read.body).toBe(200)
  expect(read.headers['x-served-by']).toMatch(/ \(standby\)$/)
  expect(read.json()).toEqual(made.json())
  const list = await app.inject({ url: '/users', cookies: { read_token: token } })
  expect(list.json()).toEqual({ users: [made.json()], next: null })

  const nobody = await app.inject({ url: '/users/00000000-0000-4000-8000-000000000000' })
  expect([nobody.statusCode, nobody.json<Answer>().type]).toEqual([404, '/problems/no-such-user'])
  const again = await post(app, { name: 'Another', email: 'ADA@example.com' })
  expect([again.statusCode, again.json<Answer>().type]).toEqual([409, '/problems/email-taken'])
})

test('pages come in the order in which users were made', async () => {
  await using service = await serviceFor(cluster)
  const { app } = service
  let token = ''
  for (const name of ['a', 'b', 'c']) {
    const made = await post(app, { name, email: `${name}@example.com` })
    token = String(made.headers['x-read-token'])
  }
  const names: string[] = []
  let next: number | null = 0
  while (next !== null) {
    const answer = await app.inject({ url: `/users?limit=2&from=${next}`, headers: { 'x-read-token': token } })
    const page: { users: { name: string }[]; next: number | null } = answer.json()
    names.push(...page.users.map(({ name }) => name))
    next = page.next
  }
  expect(names).toEqual(['a', 'b', 'c'])
})

test('what is not valid is told as a problem, and makes no user', async () => {
  await using service = await serviceFor(cluster)
  const { app } = service
  const bodies = [{}, { name: 'Ada' }, { ...ADA, email: 'ada' }, { ...ADA, name: ' ' }, { ...ADA, admin: true }, []]
  for (const body of bodies) {
    const answer = await post(app, body)
    expect(answer.statusCode, answer.body).toBe(400)
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(answer.json()).toMatchObject({ type: '/problems/invalid', status: 400 })
  }
  for (const url of ['/users/1', '/users?limit=0', '/users?limit=201', '/users?from=-1', '/users?from=x'])
    expect((await app.inject({ url })).statusCode, url).toBe(400)
  const foreign = await app.inject({ url: '/users', cookies: { read_token: 'v1.nonsense' } })
  expect([foreign.statusCode, foreign.json<Answer>().type]).toEqual([400, '/problems/foreign-token'])
  expect(foreign.headers['set-cookie']).toMatch(/^read_token=;/)
  expect((await app.inject({ url: '/nothing' })).json()).toMatchObject({ type: '/problems/not-found' })
  expect(await countUsers(cluster)).toBe(0)
})

describe('an Idempotency-Key', () => {
  test('makes one user, however often it is sent, also at once', async () => {
    await using service = await serviceFor(cluster)
    await using other = await serviceFor(cluster)
    const apps = [service.app, other.app]
    const sent = Array.from({ length: 10 }, (_, at) =>
      post(apps[at % 2] ?? service.app, ADA, { 'idempotency-key': 'k1' }),
    )
    const answers = await Promise.all(sent)
    expect(answers.map(({ statusCode }) => statusCode)).toEqual(answers.map(() => 201))
    expect(new Set(answers.map(answer => answer.json<{ id: string }>().id)).size).toBe(1)
    expect(answers.filter(({ headers }) => headers['idempotency-replayed'] === 'true')).toHaveLength(9)
    expect(await countUsers(cluster)).toBe(1)

    // The replay's token is as good as the first one's.
    const replay = await post(service.app, ADA, { 'idempotency-key': 'k1' })
    const headers = { 'x-read-token': String(replay.headers['x-read-token']) }
    expect((await other.app.inject({ url: String(replay.headers.location), headers })).statusCode).toBe(200)
  })

  test('with another body is refused, and another key with the same body meets the email', async () => {
    await using service = await serviceFor(cluster)
    const { app } = service
    await post(app, ADA, { 'idempotency-key': 'k1' })
    const reused = await post(app, { ...ADA, name: 'Not Ada' }, { 'idempotency-key': 'k1' })
    expect([reused.statusCode, reused.json<Answer>().type]).toEqual([422, '/problems/key-reused'])
    const taken = await post(app, ADA, { 'idempotency-key': 'k2' })
    expect([taken.statusCode, taken.json<Answer>().type]).toEqual([409, '/problems/email-taken'])
    // A request that was refused has not used its key up.
    expect((await post(app, { ...ADA, email: 'b@example.com' }, { 'idempotency-key': 'k2' })).statusCode).toBe(201)
  })
})

test('who asks must say who they are, where that is configured; keys are of each caller', async () => {
  const JWT_SECRET = 'a secret that has thirty-two bytes and more'
  await using service = await serviceFor(cluster, { JWT_SECRET })
  const { app } = service
  const as = (sub: string, more: object = {}): Record<string, string> => ({
    authorization: `Bearer ${tokenFor({ sub, exp: Date.now() / 1_000 + 60, ...more }, JWT_SECRET)}`,
    'idempotency-key': 'k1',
  })
  const refused = [
    {},
    { authorization: 'Bearer x' },
    { authorization: `Bearer ${tokenFor({ sub: 'a', exp: Date.now() / 1_000 + 60 }, 'another secret')}` },
    { authorization: `Bearer ${tokenFor({ sub: 'a', exp: Date.now() / 1_000 + 60 }, JWT_SECRET, 'none')}` },
    { authorization: `Bearer ${tokenFor({ sub: 'a' }, JWT_SECRET)}` },
    as('a', { exp: Date.now() / 1_000 - 60 }),
  ]
  for (const headers of refused) {
    const answer = await post(app, ADA, headers)
    expect([answer.statusCode, answer.json<Answer>().type]).toEqual([401, '/problems/unauthorized'])
  }
  expect((await app.inject({ url: '/users' })).statusCode).toBe(401)
  for (const url of ['/healthz', '/readyz', '/metrics', '/docs/json'])
    expect((await app.inject({ url })).statusCode, url).toBe(200)
  const [one, two] = [await post(app, ADA, as('a')), await post(app, { ...ADA, email: 'b@example.com' }, as('b'))]
  expect([one.statusCode, two.statusCode]).toEqual([201, 201])
})

test('requests beyond the limit are refused, and health is asked all the same', async () => {
  await using service = await serviceFor(cluster, { RATE_LIMIT_PER_MINUTE: '3' })
  const { app } = service
  const codes: number[] = []
  for (let at = 0; at < 5; at++) codes.push((await app.inject({ url: '/users' })).statusCode)
  expect(codes).toEqual([200, 200, 200, 429, 429])
  const refused = await app.inject({ url: '/users' })
  expect(refused.json()).toMatchObject({ type: '/problems/too-many-requests', status: 429 })
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
  expect((await app.inject({ url: '/healthz' })).statusCode).toBe(200)
})

test('the interface is described, from the schemas that check it', async () => {
  await using service = await serviceFor(cluster)
  const { paths } = (await service.app.inject({ url: '/docs/json' })).json<{ paths: Record<string, object> }>()
  expect(Object.keys(paths)).toEqual(expect.arrayContaining(['/users', '/users/{id}']))
  expect(paths['/users']).toMatchObject({ post: { requestBody: { required: true } } })
  expect((await service.app.inject({ url: '/docs/' })).statusCode).toBe(200)
})

test('each request is a line in the log, with node and duration; nothing in it is secret', async () => {
  const log = new LogLines()
  const configuration = configurationFor(cluster, { JWT_SECRET: 'a secret that has thirty-two bytes and more' })
  const service = await createService(configuration, log.logger)
  await service.prepared
  const bearer = tokenFor({ sub: 'a', exp: Date.now() / 1_000 + 60 }, configuration.jwtSecret ?? '')
  await post(service.app, ADA, { authorization: `Bearer ${bearer}` })
  await service.end()
  expect(log.lines).toContainEqual(
    expect.objectContaining({
      msg: 'request',
      method: 'POST',
      path: '/users',
      status: 201,
      node: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      durationMs: expect.any(Number),
    }),
  )
  const { account, admin, monitor } = configuration.database
  for (const secret of [account.password, admin?.password, monitor?.password, configuration.jwtSecret, bearer])
    expect(log.text).not.toContain(secret)
})

test('instances that start at once make one schema, which the least of roles owns', async () => {
  const services = await Promise.all([1, 2, 3].map(() => serviceFor(cluster)))
  await Promise.all(services.map(async service => await service.end()))
  const [role] = await cluster.query(
    `SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication,
       (SELECT array_agg(DISTINCT tableowner::text) FROM pg_tables WHERE schemaname = 'users_service') AS owners,
       has_database_privilege(rolname, current_database(), 'CREATE') AS creates
     FROM pg_roles WHERE rolname = 'users_service'`,
    [],
    { as: 'superuser' },
  )
  expect(role).toEqual({
    ...{ rolsuper: false, rolcreatedb: false, rolcreaterole: false, rolreplication: false },
    ...{ owners: ['users_service'], creates: false },
  })
})
