/**
 * The matrix of drivers, as it is typed: a few of its cells, of which it is known what they must be.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { run } from '../../src/runtime/command.ts'
import { ROOT } from '../support/cli.ts'
import { describeEachRuntime, testEnvironment, type TestRuntime } from '../support/runtimes.ts'
import type { Cell, DriversDocument } from '../../examples/drivers/src/document.ts'

/** The first run installs the drivers. */
const TIMEOUT_MS = 300_000
// As `pnpm run drivers` does it.
const DRIVERS = [
  process.execPath,
  join(ROOT, 'node_modules', 'tsx', 'dist', 'cli.mjs'),
  'examples/drivers/start.ts',
] as const

const environmentOf = (runtime: TestRuntime) => ({
  ...Object.fromEntries(
    Object.entries(testEnvironment(runtime)).filter(([name]) => !/^(VITEST|NODE_ENV$|npm_)/.test(name)),
  ),
  LAB_RUNTIME: runtime === 'docker' ? 'docker' : 'local',
})

const drivers = (args: readonly string[]) =>
  run([...DRIVERS, ...args], { cwd: ROOT, environment: environmentOf('local'), timeoutMs: TIMEOUT_MS })

describe('pnpm run drivers', () => {
  test('installs what it needs, and lists its subjects and situations', { timeout: TIMEOUT_MS }, async () => {
    const { exitCode, stdout, stderr } = await drivers(['--list'])
    expect(exitCode, stderr).toBe(0)
    for (const name of ['pg-query', 'mikro-orm-replicas', 'black-hole-busy', 'start-up']) expect(stdout).toContain(name)
    expect((await drivers(['--list'])).stderr, 'silent when there is nothing to do').toBe('')
  })

  test.each([
    [['--only', 'mysql'], '--only has "mysql"'],
    [['--situations', 'flood'], '--situations has "flood"'],
    [['--trials', '0'], '--trials is "0"'],
    [['--observe', 'long'], '--observe is "long"'],
    [['--report', '/nowhere/at/all.html'], 'cannot write /nowhere/at/all.html'],
    [['--keep', '--only', 'knex'], '--keep is for a run of every subject'],
    [['--verbose'], "unknown option '--verbose'"],
  ])('refuses %j, with a hint', { timeout: TIMEOUT_MS }, async (args, fact) => {
    const { exitCode, stdout, stderr } = await drivers(args)
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    const [said, hint] = stderr.trimEnd().split('\n').slice(-2)
    expect(said).toContain(fact)
    expect(hint).toMatch(/\.$/)
  })

  test('is typed, and keeps to the rules', { timeout: TIMEOUT_MS }, async () => {
    await drivers(['--list'])
    const compiler = join(ROOT, 'examples/drivers/node_modules/typescript/bin/tsc')
    const linter = [join(ROOT, 'node_modules/eslint/bin/eslint.js'), '--max-warnings', '0', '.']
    for (const argv of [[compiler, '--noEmit'], linter]) {
      const options = { cwd: join(ROOT, 'examples/drivers'), environment: process.env, timeoutMs: TIMEOUT_MS }
      const { exitCode, stdout } = await run([process.execPath, ...argv], options)
      expect(exitCode, stdout).toBe(0)
    }
  })
})

describeEachRuntime('the matrix', runtime => {
  const environment = environmentOf(runtime)

  test('finds what a former primary, and one that stands still, do to a pool', { timeout: TIMEOUT_MS }, async () => {
    const some = ['--only', 'pg-release,postgres,drizzle-router', '--situations', 'late,freeze', '--trials', '1']
    const { exitCode, stdout, stderr } = await run([...DRIVERS, ...some, '--observe', '5', '--json'], {
      ...{ cwd: ROOT, environment, timeoutMs: TIMEOUT_MS },
    })
    expect(exitCode, stderr).toBe(0)
    const { cells, failures } = JSON.parse(stdout) as DriversDocument
    expect(failures).toEqual([])
    const cell = (subject: string, variant: string, situation: string): Cell | undefined =>
      cells.find(one => one.subject === subject && one.variant === variant && one.situation === situation)

    const kept = cell('pg-release', 'default', 'late')
    expect(kept, 'release() without the error keeps the session').toMatchObject({ states: { stuck: 1 } })
    expect(kept?.oldConnections?.min).toBeGreaterThan(0)
    expect(kept?.errors?.['25006']).toBeGreaterThan(0)
    const given = cell('pg-release', 'mended', 'late')
    expect(given).toMatchObject({ states: { well: 1 }, oldConnections: { max: 0 } })
    expect(given?.firstGoodMs?.min, 'no sooner than the address moves').toBeGreaterThan(4_500)

    for (const subject of ['pg-release', 'postgres']) {
      expect(cell(subject, 'default', 'freeze'), subject).toMatchObject({ states: { stuck: 1 } })
      expect(cell(subject, 'default', 'freeze')?.hanging?.min, subject).toBeGreaterThan(0)
      expect(cell(subject, 'mended', 'freeze'), subject).toMatchObject({ states: { well: 1 }, hanging: { max: 0 } })
    }
    for (const situation of ['late', 'freeze'])
      expect(cell('drizzle-router', 'default', situation), situation).toMatchObject({ states: { well: 1 } })
  })

  test('ends with what there is on Ctrl-C, and leaves nothing behind', { timeout: TIMEOUT_MS }, async () => {
    const args = ['--only', 'postgres', '--situations', 'stop,late', '--observe', '5', '--json']
    const [program, ...rest] = [...DRIVERS, ...args]
    const child = spawn(program, rest, {
      cwd: ROOT,
      env: environment,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const ended = once(child, 'close')
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    for await (const text of child.stderr.setEncoding('utf8') as AsyncIterable<string>)
      if (text.includes('2 of 6')) process.kill(-child.pid!, 'SIGINT')
    expect(await ended).toEqual([130, null])
    const { cells } = JSON.parse(stdout) as DriversDocument
    expect(cells.map(({ situation, n }) => [situation, n])).toEqual([
      ['stop', 1],
      ['stop', 1],
    ])
    expect(() => process.kill(-child.pid!, 0), 'nobody of its group is left').toThrow('ESRCH')
  })
})
