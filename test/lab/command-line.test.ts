/**
 * What is typed and what is answered where no cluster is: help, refusals, and how the program speaks of itself.
 */
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { CliCluster, expectRefusal, ROOT, runCli } from '../support/cli.ts'
import { TEST_STATE_DIR } from '../support/runtimes.ts'

const NOWHERE = { ...process.env, FORCE_COLOR: undefined, LAB_STATE_DIR: TEST_STATE_DIR }

describe('the command line', () => {
  test('lists every command with --help', async () => {
    const { exitCode, stdout, stderr } = await runCli(['--help'], NOWHERE)
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    for (const name of ['up', 'down', 'status', 'psql', 'logs', 'demo', 'failover'])
      expect(stdout).toMatch(new RegExp(`^  ${name}\\b.* {2}\\S`, 'm'))
  })

  test.each([
    ['up', []],
    ['down', ['--keep-data']],
    ['status', []],
    ['psql', ['[node]']],
    ['logs', ['[node]', '--lines', '--follow']],
    ['demo', ['--inserts']],
    ['failover', ['--fault', '--to', '--no-rejoin', '--rate', '--connections']],
  ])('explains %s and its options with --help', async (name, options) => {
    const { exitCode, stdout, stderr } = await runCli([name, '--help'], NOWHERE)
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    for (const option of [...options, '--file', '--runtime', '--json']) expect(stdout).toContain(option)
    expect(stdout, 'what --no-… is without being given').not.toContain('(default: true)')
  })

  test.each([
    [['promote'], "unknown command 'promote'"],
    [['failovr'], "unknown command 'failovr'"],
    [['demo', '--step'], '--step waits for a key'],
    [['failover', '--step'], '--step waits for a key'],
    [['failover', '--rate', '0x10'], '--rate is "0x10"'],
    [['failover', '--rate.x', '5'], '--rate.x'],
    [['failover', '--rate'], '--rate <n>'],
    [['completion', 'tcsh'], 'the shell is "tcsh"'],
    [['status', '--verbose'], '--verbose'],
    [['failover', '--fault', 'flood'], '--fault is "flood"'],
    [['failover', '--rate', 'much'], '--rate is "much"'],
    [['failover', '--rate', '0'], '--rate is "0"'],
    [['logs', '--lines', '2.5'], '--lines is "2.5"'],
    [['status', '--runtime', 'podman'], '--runtime is "podman"'],
    [['status', 'primary'], 'primary'],
    [['logs', 'replica9', '--runtime', 'local'], 'there is no node "replica9"'],
    [['psql', 'replica9', '--runtime', 'local'], 'there is no node "replica9"'],
  ])('refuses %j in one line, with a hint', async (args, fact) => {
    const result = await runCli(args, NOWHERE)
    expectRefusal(result, { exitCode: 2, fact })
    expect(result.stdout).toBe('')
    expect(result.stderr.trimEnd().split('\n')).toHaveLength(2)
  })

  test('tells its version, and says a suggestion in the hint', async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string }
    expect(await runCli(['--version'], NOWHERE)).toMatchObject({ exitCode: 0, stdout: `${version}\n`, stderr: '' })
    expect((await runCli(['failovr'], NOWHERE)).stderr).toContain('hint: Is it failover?')
  })

  test('fits into 80 columns, with no word broken', async () => {
    for (const args of [
      ['--help'],
      ['failover', '--help'],
      ['lag', '--help'],
      ['salvage', '--help'],
      ['chaos', '--help'],
    ]) {
      const { stdout } = await runCli(args, NOWHERE)
      expect(Math.max(...stdout.split('\n').map(line => line.length)), args.join(' ')).toBeLessThanOrEqual(80)
    }
  })

  test.each([
    [{ npm_config_user_agent: 'npm/10.8.2 node/v20' }, 'npm run up', 'npm run failover -- --fault'],
    [
      { npm_command: 'exec', npm_config_user_agent: 'npm/10.8.2 node/v20' },
      'npx pg-failover-lab up',
      'npx pg-failover-lab failover --fault',
    ],
    [{ npm_package_name: 'theirs' }, 'pg-failover-lab up', 'pg-failover-lab failover --fault'],
  ])('speaks of itself as it was typed: %j', async (environment, up, withOption) => {
    await using cluster = await CliCluster.describe('local')
    const status = await cluster.runWith(environment, 'status', '--json')
    expect(status.stdout).toContain(`${up} brings the cluster up`)
    expect(status.stderr).toContain(`${up} brings the cluster up`)
    expect((await cluster.runWith(environment, 'failover', '--help')).stdout).toContain(`${withOption} stop`)
    expect((await cluster.runWith(environment, 'failover', '--fault', 'x')).stderr).not.toContain('pnpm')
  })

  test('refuses two results in one file, and a link that leads nowhere', async () => {
    using folder = temporaryFolderOf({ 'a.html': '' })
    symlinkSync('a.html', join(folder.path, 'b.html'))
    symlinkSync(join(folder.path, 'no', 'where.html'), join(folder.path, 'c.html'))
    const at = (name: string): string => join(folder.path, name)
    const twice = await runCli(['failover', '--report', at('a.html'), '--history', at('b.html')], NOWHERE)
    expectRefusal(twice, { exitCode: 2, fact: '--report and --history name one file' })
    expectRefusal(await runCli(['lag', '--report', at('c.html')], NOWHERE), { exitCode: 2, fact: 'cannot write' })
  })

  test('without a command, lists them and counts as used wrongly', async () => {
    const { exitCode, stdout } = await runCli([], NOWHERE)
    expect(exitCode).toBe(2)
    expect(stdout).toContain('failover')
  })
})

/** Gone when it is disposed of. */
function temporaryFolderOf(files: Readonly<Record<string, string>>): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'labtest-files-'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text)
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) }
}
