/**
 * Salvage: every table with a primary key of a node that parted from the primary, compared with the primary's.
 */
import { expect, test } from 'vitest'
import {
  caughtUp,
  compareWithPrimary,
  comparisonScript,
  hasRole,
  rejoin,
  salvagePsql,
  shutDown,
  waitUntil,
  type Cluster,
  type ToSalvage,
} from '../../src/index.ts'
import { run } from '../../src/runtime/command.ts'
import { catchLabError } from '../support/catch-lab-error.ts'
import { describeEachRuntime, startTestCluster, TIMEOUT_MS } from '../support/runtimes.ts'

const LIMIT = { timeoutMs: TIMEOUT_MS }

describeEachRuntime(
  'what only one node has',
  runtime => {
    test('is told table by table before its rejoin and after it, and what is missing can be brought back', async () => {
      await using cluster = await startTestCluster(runtime)
      await catchLabError('USAGE', () => compareWithPrimary(cluster, 'replica1', LIMIT))
      await partAtTables(cluster)

      const before = await compareWithPrimary(cluster, 'replica1', LIMIT)
      expect(before).toMatchObject({ node: 'replica1', from: 'data', areDeletionsKnown: true })
      expect(before.tables).toEqual([
        { table: 'public."odd name"', missing: 1, changed: 0, deleted: 0 },
        { table: 'public.things', missing: 1, changed: 1, deleted: 1 },
      ])
      expect(before.uncompared).toEqual([
        { table: 'public.keyless', why: 'it has no primary key' },
        { table: 'public.only_there', why: 'the primary has none of that name with the same columns' },
      ])
      expect(before.rows.map(({ kind, table, key }) => [kind, table, key])).toEqual([
        ['missing', 'public."odd name"', '[2, "x\\\\y\\t"]'],
        ['missing', 'public.things', '[10]'],
        ['changed', 'public.things', '[2]'],
        ['deleted', 'public.things', '[3]'],
      ])

      expect(await readApart(cluster, before)).toBe('10 made on replica1\non\n')

      await rejoin(cluster, 'replica1', LIMIT)
      const after = await compareWithPrimary(cluster, 'replica1', LIMIT)
      expect(after).toEqual({
        ...before,
        from: 'kept',
        past: expect.objectContaining({ forkLsn: before.past.forkLsn }),
      })
      expect(await readApart(cluster, after), 'psql on what it keeps').toBe('10 made on replica1\non\n')

      const script = comparisonScript(after, ['a test'])
      for (const time of ['once', 'twice']) {
        await replay(cluster, script)
        const things = await cluster.query('primary', 'SELECT id, v FROM things ORDER BY id')
        expect(things, time).toEqual(
          [1, 2, 3, 10, 11].map(id => ({
            id,
            v: id === 10 ? 'made on replica1' : id === 11 ? 'made on primary' : 'before',
          })),
        )
        expect(await cluster.query('primary', 'SELECT * FROM "odd name"')).toHaveLength(1)
      }
      expect((await compareWithPrimary(cluster, 'replica1', LIMIT)).tables).toEqual([
        { table: 'public."odd name"', missing: 0, changed: 0, deleted: 0 },
        { table: 'public.things', missing: 0, changed: 1, deleted: 1 },
      ])
    })
  },
  ['docker', 'local'],
)

async function partAtTables(cluster: Cluster): Promise<void> {
  for (const statement of [
    'CREATE TABLE things (id integer PRIMARY KEY, v text, twice integer GENERATED ALWAYS AS (id * 2) STORED)',
    'CREATE TABLE "odd name" (n integer, "a b" text, at timestamptz DEFAULT now(), raw bytea, PRIMARY KEY ("a b", n))',
    'CREATE TABLE keyless (v text)',
    "INSERT INTO things (id, v) SELECT id, 'before' FROM generate_series(1, 3) AS id",
  ])
    await cluster.query('primary', statement)
  const { currentLsn } = await cluster.primary()
  await waitUntil(caughtUp(cluster, 'replica1', currentLsn), LIMIT)
  await cluster.query('replica1', 'SELECT pg_promote()')
  await waitUntil(hasRole(cluster, 'replica1', 'primary'), LIMIT)
  for (const statement of [
    "INSERT INTO things (id, v) VALUES (10, 'made on replica1')",
    "UPDATE things SET v = 'changed' WHERE id = 2",
    'DELETE FROM things WHERE id = 3',
    `INSERT INTO "odd name" VALUES (2, E'x\\\\y\\t', now(), '\\x00ff')`,
    "INSERT INTO keyless VALUES ('nobody compares it')",
    'CREATE TABLE only_there (id integer PRIMARY KEY)',
  ])
    await cluster.query('replica1', statement)
  await shutDown(cluster, 'replica1')
  await cluster.query('primary', "INSERT INTO things (id, v) VALUES (11, 'made on primary')")
}

/** By psql on the data as it was, which nobody can write to. */
async function readApart(cluster: Cluster, { node, from, past }: ToSalvage): Promise<string> {
  const what = { timeline: past.timeline, onKept: from === 'kept', terminal: false }
  const { argv, environment, account, cwd } = await salvagePsql(cluster, node, what)
  const input =
    "\\pset format unaligned\n\\pset fieldsep ' '\n\\t\nSELECT id, v FROM things WHERE id = 10;\nSHOW transaction_read_only;\n"
  const { exitCode, stdout, stderr } = await run(argv, {
    environment: { ...process.env, ...environment },
    account,
    cwd,
    input,
  })
  expect(exitCode, stderr).toBe(0)
  return stdout.replace(/^(Output|Field|Tuples).*\n/gm, '')
}

/** By psql, as a person would. */
async function replay(cluster: Cluster, script: string): Promise<void> {
  const psql = await cluster.runtime.psql('primary', ['-q', '-v', 'ON_ERROR_STOP=1'], { terminal: false })
  const result = await run(psql!.argv, { environment: { ...process.env, ...psql!.environment }, input: script })
  expect(result).toEqual({ exitCode: 0, stdout: '', stderr: '' })
}
