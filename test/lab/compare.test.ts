/**
 * The comparison: one cell of each way, on real servers; that it goes on from what is there, and leaves nothing but that.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, inject, test } from 'vitest'
import type { CompareDocument } from '../../src/compare/compare.ts'
import { CliCluster, expectRefusal, Invocation } from '../support/cli.ts'
import { describeEachRuntime } from '../support/runtimes.ts'

/** Gone at the end. */
async function ownFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'labtest-compare-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

const MINUTES = { timeout: 300_000 }
const FEW = ['--trials', '1', '--only']

describeEachRuntime(
  'compare',
  () => {
    test('measures a cell of each way, and does not measure it again', MINUTES, async () => {
      await using folder = await ownFolder()
      const [file, page] = [join(folder.path, 'cells.json'), join(folder.path, 'cells.html')]
      await using cli = await CliCluster.describe('docker')
      const only = ['compare', ...FEW, 'switchover,tuned', '--keep', file]
      const all = new Invocation([...only, '--json', '--report', page], cli.environment, MINUTES.timeout)
      const { exitCode, stdout, stderr: narration } = await all.ended
      expect(exitCode, stdout + narration).toBe(0)
      const { cells, trials, failures, timers } = JSON.parse(stdout) as CompareDocument
      expect(failures).toEqual([])
      expect(cells.map(({ way, n }) => [way, n])).toEqual(
        ['lab', 'hosts', 'haproxy', 'pgbouncer', 'router'].map(way => [way, 1]),
      )
      for (const { way, change, verdict, writes, silenceMs, phases, timeline } of trials) {
        expect({ way, change, verdict, lost: writes.lost }).toEqual({
          ...{ way, change: 'failover', verdict: 'durable', lost: 0 },
        })
        const parts = Object.values(phases ?? {}).reduce((sum: number, ms: number) => sum + ms, 0)
        expect(parts, `${way}: who held the lock is known`).toBeCloseTo(silenceMs ?? 0, 0)
        expect(timeline.after).toBe((timeline.before ?? 0) + 1)
      }
      const [, ...managed] = trials
      expect(new Set(managed.map(({ newPrimary }) => newPrimary)).size, 'all saw the same').toBe(1)
      expect(timers.tuned?.patroni.ttl).toBe(20)
      expect(narration).toMatch(/^ +router +tuned +1 .* 1 of 1$/m)
      expect(await readFile(page, 'utf8')).toContain('Switchover: Patroni is asked')

      const again = await cli.json(...only)
      expect((again.document as CompareDocument).trials, 'nothing was measured again').toEqual(trials)
      expect(again.narration).toContain('5 trials are in')
    })
  },
  ['docker'],
)

describeEachRuntime(
  'compare, of the lab alone',
  runtime => {
    test('tells at Ctrl-C what there is, and goes on from there', MINUTES, async () => {
      await using folder = await ownFolder()
      const file = join(folder.path, 'cells.json')
      await using cli = await CliCluster.describe(runtime)
      const only = ['compare', '--only', 'lab,switchover', '--keep', file, '--json']
      const first = cli.start(...only, '--trials', '1000')
      await first.shows('failover  outage')
      first.interrupt()
      const { exitCode, stdout } = await first.ended
      expect(exitCode).toBe(130)
      const { trials, cells } = JSON.parse(stdout) as CompareDocument
      expect(cells).toMatchObject([{ way: 'lab', event: 'switchover', n: trials.length, predicted: null }])

      const more = String(trials.length + 1)
      const { document } = await cli.json(...only.slice(0, -1), '--trials', more)
      expect((document as CompareDocument).trials.slice(0, -1)).toEqual(trials)
      expect((document as CompareDocument).cells[0]?.n).toBe(trials.length + 1)
    })
  },
  ['local'],
)

test('compare refuses what it cannot do, and does nothing to a file of something else', async () => {
  if (inject('missing').local !== undefined) return
  await using folder = await ownFolder()
  const file = join(folder.path, 'other.json')
  await writeFile(file, '{"version":1,"experiment":"lag"}')
  const cli = await CliCluster.describe('local')
  expectRefusal(await cli.run('compare', '--keep', file), {
    ...{ exitCode: 2, fact: 'other.json is not a comparison', hint: '--keep' },
  })
  expect(await readFile(file, 'utf8')).toBe('{"version":1,"experiment":"lag"}')
  expectRefusal(await cli.run('compare', '--only', 'lab,etcd'), {
    ...{ exitCode: 2, fact: 'there is nothing to compare in lab, etcd', hint: 'patient is for freeze' },
  })
  expectRefusal(await cli.run('compare', '--only', 'nonsense'), { exitCode: 2, fact: '--only has "nonsense"' })
  expectRefusal(await cli.run('compare', '--only', 'hosts', '--keep', join(folder.path, 'new.json')), {
    ...{ exitCode: 1, fact: 'the ways of Patroni need Docker, and local processes', hint: '--only lab' },
  })
  const nowhere = { LAB_RUNTIME: '', DOCKER_HOST: `unix://${join(folder.path, 'nobody.sock')}` }
  expectRefusal(await cli.runWith(nowhere, 'compare', '--keep', join(folder.path, 'new.json')), {
    ...{ exitCode: 1, fact: 'the ways of Patroni need Docker, and no Docker Engine answers', hint: '--only lab' },
  })
})
