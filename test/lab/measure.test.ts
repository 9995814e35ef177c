/**
 * The instrument on servers that the lab has not made: what it sees of a failover that somebody else makes, what it says where
 * it sees nothing, and that it leaves nothing behind.
 */
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, inject, test } from 'vitest'
import { NamedServers } from '../../src/client/named-servers.ts'
import { measureSeries, type MeasureSeriesOptions } from '../../src/experiments/measure/series.ts'
import type { Judgement } from '../../src/measure/claims.ts'
import type { Measured, MeasuredRecord } from '../../src/measure/measured.ts'
import type { TrialsDocument } from '../../src/measure/trials.ts'
import { Address } from '../../src/links/address.ts'
import { met, notMet, waitUntil, type Condition } from '../../src/wait.ts'
import { BareServers, SECRET } from '../support/bare-servers.ts'
import { expectRefusal, Invocation, type CliResult, type Environment } from '../support/cli.ts'
import { TIMEOUT_MS } from '../support/runtimes.ts'

const LIMIT = { timeoutMs: TIMEOUT_MS }
const QUICK = ['--do-after', '0', '--rate', '100'] as const

type Document = MeasuredRecord & { claims: Judgement[]; leftBehind: string | null; command: string }

describe.skipIf(inject('missing').local !== undefined)('measure (local)', () => {
  describe('of nodes that are named', () => {
    test('tells a failover by phase with what is lost, keeps no password, and leaves nothing', async () => {
      await using servers = await BareServers.start()
      const [report, history] = [join(servers.folder, 'report.html'), join(servers.folder, 'history.jsonl')]
      const line = `${servers.killing(0)}; ${servers.sql(1, 'SELECT pg_promote()')}`
      const files = ['--report', report, '--history', history]
      const claims = ['--expect-lost', '1000000', '--max-outage', '1h']
      const told = ['--label', 'by hand', '--settle', 'writable', ...claims, ...files]
      const result = await measure(nodes(servers), '--do', line, ...told, '--json')
      expect(result.exitCode, result.stderr).toBe(0)
      const document = JSON.parse(result.stdout) as Document
      expect(document).toMatchObject({
        ...{ version: 1, runtime: null, target: 'nodes', label: 'by hand', change: 'failover', fault: 'command' },
        ...{ oldPrimary: servers.name(0), newPrimary: servers.name(1), timeline: { before: 1, after: 2 } },
        ...{ phases: null, forkLsn: null, afterPromotion: null, leftBehind: null, survivorsRead: true },
        action: { exitCode: 0, returnedAfterMs: expect.any(Number) },
        nodesAtEnd: [
          { node: servers.name(0), role: 'unreachable', rowsOnlyHere: null },
          { node: servers.name(1), role: 'primary' },
        ],
        ...{ unseen: [], readsOnOldPrimary: 0, splitBrainWrites: 0 },
      })
      expect(document.systemIdentifier).toMatch(/^\d{15,}$/)
      expect(document.claims.map(({ held }) => held)).toEqual([true, true])
      const { noticeMs, promoteMs, firstWriteMs } = document.clientPhases!
      expect(Math.abs(noticeMs + promoteMs + firstWriteMs - document.outageMs!)).toBeLessThan(0.05)
      expect(Object.keys(document.lagAtFault)).toEqual([expect.stringMatching(/^walreceiver /)])
      expect(Object.keys(document.errors).length).toBeGreaterThan(0)

      const kept = [await readFile(report, 'utf8'), await readFile(history, 'utf8')]
      for (const text of [result.stdout, result.stderr, ...kept]) expect(text).not.toContain(SECRET)
      expect(document.command).toContain(`--node 'postgresql://postgres:***@${servers.name(0)}/postgres'`)
      expect(document.action.command).toContain('postgres:***@')
      for (const text of [
        'by hand. Failover after a command',
        'What was seen',
        'connections that hung',
        servers.name(1),
      ])
        expect(kept[0]).toContain(text)
      expect(await schemas(servers, 1)).toEqual([])
    })

    test('finds the writes that are gone, and a claim that does not hold ends with 1', async () => {
      await using servers = await BareServers.start()
      const cut = [
        servers.sql(1, "ALTER SYSTEM SET primary_conninfo = ''"),
        servers.sql(1, 'SELECT pg_reload_conf()'),
        until(servers.sql(1, 'SELECT count(*) = 0 FROM pg_stat_wal_receiver')),
        `n=$(${servers.sql(0, INSERTED)})`,
        until(servers.sql(0, `SELECT (${INSERTED}) > $n + 20`)),
      ]
      const line = [...cut, servers.killing(0), servers.sql(1, 'SELECT pg_promote()')].join(' && ')
      const result = await measure(nodes(servers), '--do', line, '--settle', 'writable', '--expect-lost', '0', '--json')
      expect(result.exitCode, result.stderr).toBe(1)
      const { writes, lostIds, verdict, claims } = JSON.parse(result.stdout) as Document
      expect(writes.lost).toBeGreaterThanOrEqual(20)
      expect(lostIds.length).toBe(writes.lost)
      expect(verdict).toBe('lost-writes')
      expect(claims).toMatchObject([{ held: false }])
      expect(result.stderr).toContain(`the claim does not hold: at most 0 lost: ${writes.lost} of`)
    })

    test('tells of a failover that never comes, and of a command that fails', async () => {
      await using servers = await BareServers.start()
      const result = await measure(nodes(servers), '--do', 'echo no; exit 3', '--settle', '500ms', '--json')
      expect(result.exitCode, result.stderr).toBe(1)
      const { change, verdict, why, action, newPrimary, outageMs } = JSON.parse(result.stdout) as Document
      expect({ change, verdict, newPrimary, outageMs }).toEqual({
        ...{ change: 'none', verdict: 'unknown', newPrimary: null, outageMs: null },
      })
      expect(why).toBe('no failover was seen, and no fault happened')
      expect(action).toMatchObject({ exitCode: 3 })
      expect(result.stderr).toMatch(/^ {3}no$/m)
      const last = `${servers.name(0)} is a primary, ${servers.name(1)} is a standby`
      expect(result.stderr).toContain(`error: no failover came within 500 ms of the command; last seen: ${last}\n`)
      expect(await schemas(servers, 0)).toEqual([])
    })

    test('again and again tells the spread; a restart is no failover, and is measured', async () => {
      await using servers = await BareServers.start({ standbys: 0 })
      const marks = join(servers.folder, 'between')
      const series = ['--trials', '2', '--between', `echo x >> ${marks}`, '--healthy', servers.sql(0, 'SELECT 1')]
      const result = await measure(
        [nodes(servers)[0]!, nodes(servers)[1]!],
        '--do',
        servers.restarting(0),
        '--settle',
        'writable',
        ...series,
        '--json',
      )
      expect(result.exitCode, result.stderr).toBe(0)
      const document = JSON.parse(result.stdout) as TrialsDocument<MeasuredRecord>
      expect(document).toMatchObject({
        n: 2,
        requested: 2,
        verdicts: { durable: 2 },
        outageMs: { n: 2 },
        target: 'nodes',
      })
      expect(document.clientPhases).toMatchObject({ noticeMs: { n: 2 } })
      expect(document.trials.map(({ change }) => change)).toEqual(['restart', 'restart'])
      expect(await readFile(marks, 'utf8'), 'once, between the two').toBe('x\n')
      expect(await schemas(servers, 0)).toEqual([])
    })

    test('is ended by Ctrl-C with its command and all that it has started, and leaves nothing', async () => {
      await using servers = await BareServers.start({ standbys: 0 })
      const line = `sleep 1000 & echo run"ning" $! $$; wait`
      const running = start(nodes(servers), '--do', line)
      await running.shows('running ')
      const pids = /running (\d+) (\d+)/.exec(running.output)!.slice(1).map(Number)
      running.interrupt()
      const { exitCode, stderr } = await running.ended
      expect(exitCode, stderr).toBe(130)
      expect(await schemas(servers, 0)).toEqual([])
      await waitUntil(gone(pids), LIMIT)
    })
  })

  describe('of an address that moves', () => {
    test('sees the split brain of connections that stay where they were, and what it costs', async () => {
      await using servers = await BareServers.start()
      let to = 0
      await using address = await Address.open(() => ({ host: '127.0.0.1', port: servers.ports[to]! }))
      const moved = async (): Promise<void> => {
        to = 1
        const before = await inserted(servers)
        await waitUntil(more(servers, before + 10), LIMIT)
        address.dropOthers()
      }
      let moving: Promise<void> | undefined
      const { record } = await measureOnce(at(address, [servers.url(1)]), {
        line: `${servers.sql(1, 'SELECT pg_promote()')} && echo promoted`,
        onLine: line => {
          if (line === 'promoted') moving = moved()
        },
      })
      await moving
      expect(record).toMatchObject({ target: 'address', change: 'failover', verdict: 'lost-writes' })
      expect(record.newPrimary).toBe(servers.name(1))
      expect(record.splitBrainWrites).toBeGreaterThanOrEqual(10)
      expect(record.readsOnOldPrimary).toBeGreaterThan(0)
      expect(record.writes.lost).toBeGreaterThanOrEqual(10)
      expect(record.outageMs).toBeGreaterThan(0)
      await servers.query(0, 'DROP SCHEMA lab CASCADE') // beside the new primary nobody asked it any more
    })

    test('that never moves is told: the outage goes on, and a standby that is named says what is lost', async () => {
      await using servers = await BareServers.start()
      await using address = await Address.open(() => ({ host: '127.0.0.1', port: servers.ports[0]! }))
      const line = `${servers.killing(0)}; ${servers.sql(1, 'SELECT pg_promote()')}`
      const settle = { kind: 'time', ms: 1_000 } as const
      const { record } = await measureOnce(at(address, [servers.url(1)]), { line, settle })
      expect(record).toMatchObject({
        ...{ change: 'failover', newPrimary: servers.name(1), outageMs: null, longestOutageMs: null },
        ...{ survivorsRead: true, clientPhases: null },
      })
      expect(await schemas(servers, 1), 'removed where the primary is now').toEqual([])
    })

    test('which still leads to the old primary every other time does not hide what is left', async () => {
      await using servers = await BareServers.start()
      const [old, next] = servers.ports
      let [to, isFickle, connections] = [old, false, 0]
      const lead = (): number => (isFickle && ++connections % 2 === 0 ? old! : to!)
      await using address = await Address.open(() => ({ host: '127.0.0.1', port: lead() }))
      const left: string[] = []
      const { record } = await measureOnce(at(address, [servers.url(1)]), {
        line: `${servers.killing(0)}; ${servers.sql(1, 'SELECT pg_promote()')} && echo promoted`,
        onLine: line => {
          if (line === 'promoted') to = next
        },
        onProgress: text => (isFickle ||= text.endsWith('what is there of it')),
        onLeft: text => left.push(text),
      })
      expect(record).toMatchObject({ change: 'failover', survivorsRead: true })
      expect(left).toEqual([])
    })

    test('and is the only one that is known ends with what is not known', async () => {
      await using servers = await BareServers.start({ standbys: 0 })
      await using address = await Address.open(() => ({ host: '127.0.0.1', port: servers.ports[0]! }))
      const left: string[] = []
      const line = servers.killing(0)
      const settle = { kind: 'time', ms: 500 } as const
      const { record } = await measureOnce(at(address), { line, settle, onLeft: text => left.push(text) })
      expect(record).toMatchObject({ change: 'none', verdict: 'unknown', survivorsRead: false, longestOutageMs: null })
      expect(record.why).toBe('no failover was seen, and the survivors could not be read')
      expect(record.unseen).toContainEqual(expect.stringMatching(/^the old primary after the failover/))
      expect(left).toEqual([
        expect.stringMatching(/^table "lab"\.measure_\w+ is left on the primary, which does not answer: /),
      ])
    })
  })

  describe('with a role that may do little', () => {
    test('says what it could not see, and goes on', async () => {
      await using servers = await BareServers.start()
      await servers.query(0, "CREATE ROLE app LOGIN PASSWORD 'app'")
      await servers.query(0, 'CREATE SCHEMA app AUTHORIZATION app')
      await servers.query(0, 'REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC')
      const urls = [0, 1].flatMap(at => ['--node', servers.url(at, 'app')])
      const line = `${servers.killing(0)}; ${servers.sql(1, 'SELECT pg_promote()')}`
      const environment = { PGPASSWORD: 'app' }
      const args = ['--do', line, '--settle', 'writable', '--schema', 'app', '--json']
      const result = await start(urls, ...args, environment).ended
      expect(result.exitCode, result.stderr).toBe(0)
      const document = JSON.parse(result.stdout) as Document
      expect(document).toMatchObject({ change: 'failover', systemIdentifier: null, lagAtFault: {} })
      expect(document.unseen).toEqual([
        expect.stringMatching(/^the system identifier, .*permission denied for function pg_control_system \(42501\)$/),
        expect.stringContaining('pg_monitor'),
      ])
      const tables = await servers.query(1, "SELECT FROM pg_tables WHERE schemaname = 'app'")
      expect(tables, 'the schema was there, and is').toEqual([])
      expect(await servers.query(1, "SELECT FROM pg_namespace WHERE nspname = 'app'")).toHaveLength(1)

      await servers.query(1, "CREATE ROLE reader LOGIN PASSWORD 'app'")
      const refused = await start(['--node', servers.url(1, 'reader')], '--do', 'true', environment).ended
      expect(refused.exitCode, refused.stderr).toBe(2)
      expect(refused.stderr).toMatch(/error: .* refused a table in schema "lab": permission denied for database/)
      expect(refused.stderr).toContain('CREATE SCHEMA "lab" AUTHORIZATION')
    })
  })

  test('refuses servers that are not what they are named as, with nothing done', async () => {
    await using servers = await BareServers.start()
    await using strangers = await BareServers.start({ standbys: 0 })
    const refused = async (args: readonly string[], exitCode: 1 | 2, fact: RegExp): Promise<void> =>
      expectRefusal(await measure(args, '--do', 'touch /never'), { exitCode, fact })
    const local = servers.url(0).replace('127.0.0.1', 'localhost')
    await refused(['--node', servers.url(0), '--node', local], 2, /^127\S+ and localhost:\d+ are one server: 127/)
    await refused(['--node', servers.url(0), '--node', servers.url(0)], 2, /is named twice$/)
    await refused(['--node', servers.url(0), '--node', strangers.url(0)], 2, /are of two clusters/)
    await refused(['--primary', servers.url(1)], 2, /is a standby, not the primary$/)
    await refused(['--node', servers.url(1)], 1, /^no server accepts writes: 127\S+ is a standby$/)
    await refused(['--node', servers.url(0, 'postgres:wrong')], 1, /refused user postgres/)
    await refused(['--node', servers.url(0).replace(/postgres$/, 'nowhere')], 1, /lets nobody in: database "nowhere"/)
    await refused(['--node', 'postgresql://postgres@127.0.0.1:1/postgres'], 1, /^no PostgreSQL server answers on 127/)
    await refused(['--node', '127.0.0.1:5432'], 2, /^a server is named by a URL/)
    await refused([], 2, /^a cluster is named by its nodes, or by one address$/)
    await refused(['--primary', servers.url(0), '--settle', '5'], 2, /^--settle is "5"$/)
    expectRefusal(await measure(nodes(servers)), { exitCode: 2, fact: '--do is missing' })
    expect(await schemas(servers, 0)).toEqual([])
    await expect(rm('/never')).rejects.toThrow('ENOENT')
  })
})

const nodes = (servers: BareServers): string[] => servers.ports.flatMap((_, at) => ['--node', servers.url(at)])

/** What is no word is the environment. */
function start(target: readonly string[], ...args: readonly (string | Environment)[]): Invocation {
  const words = args.filter(arg => typeof arg === 'string')
  const environment = Object.assign(
    { PATH: process.env['PATH'], HOME: '/nowhere' },
    ...args.filter(arg => typeof arg !== 'string'),
  )
  return new Invocation(['measure', ...target, ...QUICK, ...words], environment as Environment)
}

const measure = (target: readonly string[], ...args: readonly string[]): Promise<CliResult> =>
  start(target, ...args).ended

const at = (address: Address, standbys: readonly string[] = []): NamedServers =>
  new NamedServers({
    address: `postgresql://postgres:${SECRET}@127.0.0.1:${address.endpoint.port}/postgres`,
    ...{ standbys, connectTimeoutMs: 1_000 },
  })

async function measureOnce(servers: NamedServers, options: Partial<MeasureSeriesOptions>): Promise<Measured> {
  const [measured] = await measureSeries(servers, {
    ...{ line: 'true', settle: { kind: 'writable' }, doAfterMs: 0, trials: 1, schema: 'lab', keep: false },
    ...{ ratePerSecond: 100, connections: 4, writeTimeoutMs: 1_000, connectTimeoutMs: 1_000 },
    ...{ signal: new AbortController().signal },
    ...{ onProgress: ignored, onLine: ignored, onSurvey: ignored, onLeft: ignored },
    ...options,
  })
  return measured!
}

const ignored = (): void => undefined

const schemas = async (servers: BareServers, at: number): Promise<object[]> =>
  await servers.query(at, "SELECT nspname FROM pg_namespace WHERE nspname = 'lab'")

/** Rows that the instrument has inserted, on a server that counts what it does. */
const INSERTED = "SELECT sum(n_tup_ins)::bigint FROM pg_stat_user_tables WHERE relname LIKE 'measure%'"

/** A line for a shell: asks until the answer is true. */
const until = (question: string): string => `until [ "$(${question})" = t ]; do :; done`

async function inserted(servers: BareServers): Promise<number> {
  const [table] = await servers.query<{ name: string }>(
    0,
    "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'lab'",
  )
  const [row] = await servers.query<{ count: number }>(0, `SELECT count(*)::int AS count FROM lab.${table!.name}`)
  return row!.count
}

const more = (servers: BareServers, count: number): Condition<undefined> => ({
  what: `${count} rows on the old primary`,
  observe: async () => {
    const there = await inserted(servers)
    return there >= count ? met(undefined) : notMet(`${there}`)
  },
})

const gone = (pids: readonly number[]): Condition<undefined> => ({
  what: 'the processes to be gone',
  observe: async () => {
    const running = pids.filter(isRunning)
    return running.length === 0 ? met(undefined) : notMet(running.join(', '))
  },
})

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
