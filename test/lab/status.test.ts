/**
 * `status` and `status --watch`, as people use them: on a terminal, and in a pipe.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { crash, failover, formatLsn, openLab, up, waitUntil, type Cluster } from '../../src/index.ts'
import type { Lab } from '../../src/index.ts'
import type { StatusDocument } from '../../src/report/status.ts'
import { met, notMet } from '../../src/wait.ts'
import { CLI } from '../support/built-cli.ts'
import { CliCluster, expectRefusal, ROOT } from '../support/cli.ts'
import { PseudoTerminal } from '../support/pseudo-terminal.ts'
import { describeEachRuntime, TIMEOUT_MS } from '../support/runtimes.ts'

const LIMIT = { timeoutMs: TIMEOUT_MS }
const WATCH = ['status', '--watch', '--every', '100'] as const
const SIZE = { columns: 120, rows: 30 }

describeEachRuntime(
  'a live view',
  runtime => {
    test('shows a crash and the promotion as they happen, and q leaves the terminal as it was', async () => {
      await using cluster = await CliCluster.up(runtime)
      await using lab = await openUp(cluster)
      await using terminal = new PseudoTerminal(WATCH, cluster.environment, SIZE)
      await terminal.shows(lines => lines.filter(line => /^replica\d +standby .* streaming /.test(line)).length === 2)

      const newPrimary = await replacePrimary(lab)
      const frame = await terminal.shows(`${newPrimary} is the primary on timeline 2`)
      expect(frame.join('\n')).toMatch(/^\d\d:\d\d:\d\d primary is stopped$/m)
      expect(lineOf(frame, newPrimary)).toMatch(/^replica\d +primary +2 /)

      terminal.type('q')
      await expectRestored(terminal, 0)
    })

    test('goes on for the others when a node stands still, fits the terminal, and ends well however it ends', async () => {
      await using cluster = await CliCluster.up(runtime)
      await using lab = await openUp(cluster)
      await using terminal = new PseudoTerminal(WATCH, cluster.environment, SIZE)
      await terminal.shows('replica2')

      await lab.cluster.runtime.freeze('replica1')
      await terminal.shows('replica1 is frozen: no answer for ')
      const written = await write(lab.cluster)
      await terminal.shows(lines => ['primary', 'replica2'].every(node => lineOf(lines, node).includes(written)))

      await terminal.resize({ columns: 30, rows: 5 })
      const small = await terminal.shows(lines => lines.length === 5)
      for (const line of small) expect(line.length, line).toBeLessThanOrEqual(30)
      expect(small.at(-1)).toBe('…')
      await terminal.resize(SIZE)
      await terminal.shows('seen to change')
      terminal.type('\x03')
      await expectRestored(terminal, 130)
      await lab.cluster.runtime.thaw('replica1')

      await using terminated = new PseudoTerminal(WATCH, cluster.environment, SIZE)
      await using closed = new PseudoTerminal(WATCH, cluster.environment, SIZE)
      for (const each of [terminated, closed]) await each.shows('replica2')
      process.kill(terminated.pid, 'SIGTERM')
      await expectRestored(terminated, 130)
      const { pid } = closed
      closed.close()
      await waitUntil(
        { what: 'the watch to end', observe: async () => (runs(pid) ? notMet('it runs') : met(0)) },
        LIMIT,
      )
    })
  },
  ['local'],
)

describeEachRuntime(
  'status',
  runtime => {
    test('warns, and in a pipe tells what changes, a line each, or a document for each look', async () => {
      await using cluster = await CliCluster.up(runtime)
      await using lab = await openUp(cluster)
      expect(((await cluster.json('status')).document as StatusDocument).warnings).toEqual([])

      const documents = await firstLines(cluster, [...WATCH, '--json'], 3)
      expect(documents.exitCode, documents.stderr).toBe(141)
      const [first, second] = documents.lines.map(line => JSON.parse(line) as StatusDocument & Watched)
      expect(first).toMatchObject({ version: 1, runtime: 'local', behindAtLeastMs: { replica1: 0, replica2: 0 } })
      expect(Date.parse(second!.at)).toBeGreaterThan(Date.parse(first!.at))

      const watch = cluster.start(...WATCH)
      await watch.shows('replica2  primary')
      const newPrimary = await replacePrimary(lab)
      await watch.shows(`${newPrimary} is the primary on timeline 2`)
      await up(lab.cluster, LIMIT)
      await watch.shows(`primary streams from ${newPrimary}`)
      watch.interrupt()
      const { exitCode, stdout } = await watch.ended
      expect(exitCode).toBe(130)
      expect(stdout.match(/is the primary on timeline 2/g), stdout).toHaveLength(1)
      expect(stdout, 'control sequences').not.toContain('\x1b')

      expectRefusal(await cluster.run('status', '--every', '100'), { exitCode: 2, fact: '--every', hint: '--watch' })
      expectRefusal(await cluster.run('status', '--watch', '--every', '0'), { exitCode: 2, fact: '--every is "0"' })
    })
  },
  ['local'],
)

interface Watched {
  readonly at: string
  readonly behindAtLeastMs: Readonly<Record<string, number>>
}

async function openUp({ environment }: CliCluster): Promise<Lab> {
  const lab = await openLab({ environment })
  await up(lab.cluster, LIMIT)
  return lab
}

/** Line wrap on, cursor shown, the screen that was there before, the same modes. */
async function expectRestored(terminal: PseudoTerminal, exitCode: number): Promise<void> {
  const output = await terminal.ended
  expect(output).toContain('\x1b[?1049h')
  const after = output.slice(output.lastIndexOf('\x1b[J'))
  for (const restored of ['\x1b[?7h', '\x1b[?25h', '\x1b[?1049l']) expect(after).toContain(restored)
  expect(after).toContain(`exit=${exitCode}\r\nmodes=same`)
}

const lineOf = (lines: readonly string[], node: string): string => lines.find(line => line.startsWith(node)) ?? ''

/** Writes to the primary, and returns where its WAL ends. */
async function write(cluster: Cluster): Promise<string> {
  await cluster.query('primary', 'CREATE TABLE watched AS SELECT 1 AS id')
  return formatLsn((await cluster.primary()).currentLsn)
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function replacePrimary({ cluster }: Lab): Promise<string> {
  await crash(cluster, 'primary')
  return (await failover(cluster, 'primary', LIMIT)).newPrimary
}

/** The first lines of a command whose reader then goes, as `| head` does. */
async function firstLines(
  { environment }: CliCluster,
  args: readonly string[],
  count: number,
): Promise<{ readonly lines: readonly string[]; readonly stderr: string; readonly exitCode: number }> {
  const argv = [...CLI, ...args].map(word => `'${word}'`).join(' ')
  const script = `${argv} | head -n ${count}; exit \${PIPESTATUS[0]}`
  const child = spawn('bash', ['-c', script], { cwd: ROOT, env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
  const [exitCode] = (await once(child, 'close')) as [number]
  return { lines: stdout.trimEnd().split('\n'), stderr, exitCode }
}
