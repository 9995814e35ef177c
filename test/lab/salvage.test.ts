/**
 * Salvage: what only an old primary has is read and kept before its rejoin erases it.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  cutFromWal,
  failover,
  healthy,
  readPastFork,
  readSurvivors,
  rejoin,
  salvage,
  startTrial,
  up,
  waitUntil,
} from '../../src/index.ts'
import type { Cluster, PastFork, TrialResult } from '../../src/index.ts'
import type { RejoinDocument } from '../../src/report/rejoin.ts'
import { run } from '../../src/runtime/command.ts'
import { met, notMet } from '../../src/wait.ts'
import { catchLabError } from '../support/catch-lab-error.ts'
import { CliCluster, expectAllStreaming, expectRefusal } from '../support/cli.ts'
import {
  ALSO_ON_DOCKER,
  describeEachRuntime,
  startTestCluster,
  TEST_STATE_DIR,
  TIMEOUT_MS,
} from '../support/runtimes.ts'

const LIMIT = { timeoutMs: TIMEOUT_MS }
/** Some twenty command lines, one after another. */
const MANY_TIMEOUT_MS = 300_000
/** Random uuids do not compress: as many as fill more than one of the pieces in which rows are fetched. */
const MORE_THAN_A_PIECE = 130_000

let folder = ''
beforeAll(() => {
  folder = mkdtempSync('/tmp/labtest-salvage-')
})
afterAll(() => rmSync(folder, { recursive: true }))

describeEachRuntime(
  'salvage',
  runtime => {
    // One cluster for all: each test heals it first, so that their order is free.
    let cluster: Cluster
    beforeAll(async () => {
      cluster = await startTestCluster(runtime)
    })
    afterAll(async () => cluster[Symbol.asyncDispose]())

    test('keeps exactly the lost writes, and psql brings them back; twice in a row', async () => {
      await up(cluster, LIMIT)
      for (const name of ['first.sql', 'second.sql'])
        await keepsAndBringsBack(cluster, join(folder, `${runtime}-${name}`))
    })

    test('interrupted, leaves no server, no file, and a node that can be salvaged and rejoined', async () => {
      await up(cluster, LIMIT)
      const { old } = await lose(cluster, MORE_THAN_A_PIECE)
      const past = await pastForkOf(cluster, old)
      const file = join(folder, `${runtime}-interrupted.sql`)
      const interrupt = new AbortController()
      const salvaging = catchLabError('INTERRUPTED', () =>
        salvage(cluster, past, { file, ...LIMIT, signal: interrupt.signal }),
      )
      await waitUntil(reading(cluster, old), { ...LIMIT, intervalMs: 1 })
      expect(await cluster.nodeStatus(old), 'for clients and peers').toMatchObject({ role: 'unreachable' })
      interrupt.abort()
      await salvaging
      expect(await serversOf(cluster, old)).toEqual([])
      const { stdout } = await offline(cluster, old, 'ls "$(dirname "$PGDATA")" "$PGDATA"')
      expect(stdout).toContain('standby.signal')
      expect(stdout).not.toMatch(/^salvage$/m)
      expect(existsSync(file)).toBe(false)

      const { rows } = await salvage(cluster, past, { file, ...LIMIT })
      expect(rows, 'more than one piece').toBeGreaterThanOrEqual(MORE_THAN_A_PIECE)
      expect(rowsIn(file)).toHaveLength(rows)
      expect(readdirSync(folder).filter(name => name.includes('partial'))).toEqual([])
      expect(await rejoin(cluster, old, LIMIT)).toMatchObject({ by: 'rewind' })
      await waitUntil(healthy(cluster), LIMIT)
    })
  },
  ALSO_ON_DOCKER,
)

describeEachRuntime(
  'salvage',
  runtime => {
    test('that fails changes nothing, and says why', async () => {
      await using cluster = await startTestCluster(runtime)
      const { old } = await lose(cluster)
      const past = await pastForkOf(cluster, old)
      await offline(cluster, old, 'echo "nonsense = 1" >>"$PGDATA/postgresql.auto.conf"')
      const before = await contentOf(cluster, old)
      const file = join(folder, `${runtime}-failed.sql`)
      const keep = (into: string) => (): Promise<unknown> => salvage(cluster, past, { file: into, ...LIMIT })
      const failed = await catchLabError('SALVAGE_FAILED', keep(file))
      expect(failed.message, 'what its server says').toContain('nonsense')
      expect(await contentOf(cluster, old)).toBe(before)
      await offline(cluster, old, 'sed -i "/nonsense/d" "$PGDATA/postgresql.auto.conf"')
      await catchLabError('SALVAGE_FAILED', keep(join(folder, 'none', 'x.sql')))

      await keep(file)()
      // It may hold rows that are nowhere else.
      await catchLabError('USAGE', keep(file))
      await rejoin(cluster, old, LIMIT)
      const running = await catchLabError('SALVAGE_FAILED', () => readPastFork(cluster, old, LIMIT))
      expect(running.message).toContain(`${old} is running`)
    })
  },
  ['local'],
)

async function keepsAndBringsBack(cluster: Cluster, file: string): Promise<void> {
  const { old, trial } = await lose(cluster)
  const { record, history } = trial
  expect(record.lostIds.length).toBeGreaterThan(0)
  const past = await pastForkOf(cluster, old)
  expect(past).toMatchObject({ node: old, forkLsn: record.forkLsn, walBytes: record.walBytesLost })
  expect(past).toMatchObject({ timeline: record.timeline.before, primary: { timeline: record.timeline.after } })

  const { rows } = await salvage(cluster, past, { file, ...LIMIT })
  // The client may not have heard of the last that was written; such writes were not acknowledged, and so are not lost.
  const unheard = history.writes.flatMap(({ id, outcome }) => (outcome.kind === 'indeterminate' ? [id] : []))
  const kept = rowsIn(file)
  expect(kept).toHaveLength(rows)
  expect(new Set(kept.map(({ run }) => run))).toEqual(new Set([history.run]))
  const ids = kept.map(({ id }) => id).sort((a, b) => a - b)
  expect(ids.filter(id => !unheard.includes(id))).toEqual(record.lostIds)
  // Each row is one record; the table has no index.
  expect(past.relations!.find(({ name }) => name === 'lab.writes')!.records).toBeGreaterThanOrEqual(ids.length)
  const header = readFileSync(file, 'utf8').split('BEGIN;')[0]
  for (const part of [old, `timeline  ${past.timeline}`, `rows      ${rows}`]) expect(header).toContain(part)

  expect(await rejoin(cluster, old, LIMIT)).toMatchObject({ node: old, by: 'rewind' })
  await waitUntil(healthy(cluster), LIMIT)
  for (const time of ['once', 'twice']) {
    await replay(cluster, file)
    const survivors = await readSurvivors(cluster, history.run)
    expect(
      record.lostIds.map(id => survivors?.get(id)),
      time,
    ).toEqual(record.lostIds.map(() => 1))
  }
}

describeEachRuntime(
  'the rejoin command',
  () => {
    test(
      'shows what is past the fork, keeps it where asked, and leaves a node alone that streams',
      async () => {
        await using cluster = await CliCluster.describe('local')
        expectRefusal(await cluster.run('rejoin'), { exitCode: 1, fact: 'no node answers', hint: 'pnpm run up' })
        const first = await failOver(cluster)
        const there = join(folder, 'there.sql')
        writeFileSync(there, '')
        const before = readdirSync(folder)
        const wrong: readonly (readonly [readonly string[], RegExp | string])[] = [
          [['replica9'], 'there is no node "replica9"'],
          [[await primaryOf(cluster)], /^replica[12] is the primary/],
          [['--salvage', '/nonexistent/lost.sql'], 'cannot write /nonexistent/lost.sql'],
          [['--salvage', there], `${there} is there already`],
        ]
        for (const [args, fact] of wrong) expectRefusal(await cluster.run('rejoin', ...args), { exitCode: 2, fact })

        const { document } = await cluster.json('rejoin')
        expect(document).toMatchObject({ version: 1, node: first, by: 'rewind', salvaged: null })
        const { pastFork, why } = document as RejoinDocument
        expect(pastFork!.forkLsn).toMatch(/^0\/[0-9A-F]+$/)
        expect(pastFork!.walBytes).toEqual(expect.any(Number))
        expect(why).not.toBe('')
        await expectAllStreaming(cluster)
        expect(readdirSync(folder), 'without --salvage, no file').toEqual(before)
        const again = await cluster.json('rejoin', first)
        expect(again.document).toMatchObject({ node: first, by: null, why: 'it streams already' })
        expect((await cluster.json('rejoin')).document).toMatchObject({ node: null, by: null })

        const second = await failOver(cluster)
        const file = join(folder, 'command.sql')
        await unwinds(cluster, file)
        const kept = await cluster.run('rejoin', second, '--salvage', file)
        expect(kept).toMatchObject({ exitCode: 0, stderr: '' })
        expect(kept.stdout).toMatch(new RegExp(`salvaged +\\d+ rows of lab.writes, in ${file}`))
        expect(readFileSync(file, 'utf8')).toContain('COMMIT;')
        await expectAllStreaming(cluster)
      },
      MANY_TIMEOUT_MS,
    )
  },
  ['local'],
)

describeEachRuntime(
  'the rejoin command without pg_waldump and pg_rewind',
  runtime => {
    test('says so, and salvages by any psql; without one it tells how to get it', async () => {
      await using cluster = await CliCluster.describe(runtime)
      const node = await failOver(cluster)
      const file = join(folder, 'npm.sql')
      await refusesWithoutPsql(cluster, node, file)
      const { document, narration } = await cluster.json('rejoin', '--salvage', file)
      expect(document).toMatchObject({ node, by: 'clone', pastFork: { walBytes: null, relations: null } })
      expect(document).toMatchObject({ salvaged: { file } })
      expect(narration).toContain('there is no pg_waldump')
      expect(readFileSync(file, 'utf8')).toContain('COMMIT;')
      await expectAllStreaming(cluster)
    })
  },
  ['npm'],
)

const primaryOf = async (cluster: CliCluster): Promise<string> =>
  (await cluster.nodes()).find(({ role }) => role === 'primary')!.name

/** Crashes the primary, which stays down; returns its name. */
async function failOver(cluster: CliCluster): Promise<string> {
  const { document } = await cluster.json('failover', '--no-rejoin')
  return (document as { oldPrimary: string }).oldPrimary
}

async function refusesWithoutPsql(cluster: CliCluster, node: string, file: string): Promise<void> {
  const bin = join(folder, 'bin')
  await run(['mkdir', bin], { environment: process.env })
  for (const program of ['bash', 'id', 'ps', 'dirname', 'ls', 'grep', 'sort', 'tail', 'head', 'base64', 'tr']) {
    const { stdout } = await run(['which', program], { environment: process.env })
    symlinkSync(stdout.trim(), join(bin, program))
  }
  await run(['chmod', '755', folder, bin], { environment: process.env })
  const refused = await cluster.runWith({ PATH: bin }, 'rejoin', node, '--salvage', file)
  expectRefusal(refused, { exitCode: 1, fact: 'there is no psql', hint: 'Install it' })
  expect(existsSync(file)).toBe(false)
}

async function unwinds(cluster: CliCluster, file: string): Promise<void> {
  for (const step of ['What only', 'listen_addresses=']) {
    const rejoining = cluster.start('rejoin', '--salvage', file)
    await rejoining.shows(step)
    rejoining.interrupt()
    const { exitCode } = await rejoining.ended
    expect(exitCode, rejoining.output).toBe(130)
    expect(existsSync(file)).toBe(false)
  }
}

/** A primary with acknowledged writes that no standby has, crashed and replaced. */
async function lose(cluster: Cluster, more = 0): Promise<{ readonly old: string; readonly trial: TrialResult }> {
  await using trial = await startTrial(cluster, { ratePerSecond: 500 })
  const old = trial.oldPrimary.name
  await trial.writer.acknowledges(50, LIMIT)
  const standbys = cluster.nodes.map(({ name }) => name).filter(name => name !== old)
  await using cut = await cutFromWal(cluster, standbys, LIMIT)
  await trial.writer.acknowledges(50, LIMIT)
  if (more > 0) {
    const rows = `SELECT gen_random_uuid(), id FROM generate_series(1, ${more}) AS id`
    await using session = await cluster.connect(old)
    await session.query(`INSERT INTO lab.writes (run, id) ${rows}`, [], LIMIT)
  }
  await trial.inflict('crash')
  await cut[Symbol.asyncDispose]()
  const done = await failover(cluster, old, LIMIT)
  await trial.writer.acknowledges(20, LIMIT)
  return { old, trial: await trial.finish(done) }
}

async function pastForkOf(cluster: Cluster, node: string): Promise<PastFork> {
  const past = await readPastFork(cluster, node, LIMIT)
  expect(past).not.toBeNull()
  return past!
}

const rowsIn = (file: string): { readonly run: string; readonly id: number }[] =>
  [...readFileSync(file, 'utf8').matchAll(/^ {2}\('([0-9a-f-]+)', '(\d+)', '/gm)].map(([, run = '', id]) => ({
    run,
    id: Number(id),
  }))

/** On the primary, by psql, as a person would. */
async function replay(cluster: Cluster, file: string): Promise<void> {
  const { name } = await cluster.primary()
  const psql = await cluster.runtime.psql(name, ['-q', '-v', 'ON_ERROR_STOP=1'], { terminal: false })
  const environment = { ...process.env, ...psql!.environment }
  const result = await run(psql!.argv, { environment, input: readFileSync(file, 'utf8') })
  expect(result).toEqual({ exitCode: 0, stdout: '', stderr: '' })
}

const offline = (cluster: Cluster, node: string, script: string): ReturnType<Cluster['runtime']['runOffline']> =>
  cluster.runtime.runOffline(node, ['bash', '-c', script])

/** A check sum of every file, but for the lock file of the server that crashed. */
async function contentOf(cluster: Cluster, node: string): Promise<string> {
  const script = 'cd "$PGDATA" && find . -type f ! -name postmaster.pid -exec cksum {} + | sort -k 3 | cksum'
  return (await offline(cluster, node, script)).stdout
}

/** The server apart runs. */
const reading = (cluster: Cluster, node: string): Parameters<typeof waitUntil<undefined>>[0] => ({
  what: `the server of ${node} to run apart`,
  observe: async () => ((await serversOf(cluster, node)).length > 0 ? met(undefined) : notMet('it does not yet')),
})

/** What runs on the node's data. */
async function serversOf(cluster: Cluster, node: string): Promise<readonly string[]> {
  const { project } = cluster.topology
  const argv =
    cluster.runtime.name === 'docker'
      ? ([
          'docker',
          'ps',
          '--all',
          '--format',
          '{{.ID}}',
          '--filter',
          `label=com.docker.compose.project=${project}`,
          '--filter',
          `label=com.docker.compose.service=${node}-offline`,
        ] as const)
      : (['ps', '-A', '-o', 'args='] as const)
  const { stdout } = await run([...argv], { environment: process.env })
  const lines = stdout.split('\n').filter(Boolean)
  if (cluster.runtime.name === 'docker') return lines
  return lines.filter(line => line.includes(join(TEST_STATE_DIR, project, `${node}-data`)))
}
