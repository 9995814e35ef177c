/**
 * A temporary cluster does not outlive the process that made it, whatever ends that.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { run } from '../../src/runtime/command.ts'
import { met, notMet, waitUntil, type Condition } from '../../src/wait.ts'
import { ROOT, runCli } from '../support/cli.ts'
import {
  describeEachRuntime,
  startTestCluster,
  TEST_PREFIX,
  TEST_STATE_DIR,
  testEnvironment,
  TIMEOUT_MS,
  type TestRuntime,
} from '../support/runtimes.ts'

describeEachRuntime(
  'a temporary cluster',
  runtime => {
    // What notices its end is the same on both; only what is removed differs.
    const signals =
      runtime === 'docker' ? (['SIGKILL'] as const) : (['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP'] as const)
    test.each(signals)('is gone soon after its owner got a %s', async signal => {
      const { owner, project } = await startOwner(runtime)
      owner.kill(signal)
      await waitUntilGone(runtime, project)
    })

    test('is gone soon after its owner was killed while it came up', async () => {
      const owner = spawnOwner(runtime)
      const project = await waitUntil(firstTrace(runtime, owner), { timeoutMs: TIMEOUT_MS, intervalMs: 1 })
      owner.kill('SIGKILL')
      await waitUntilGone(runtime, project)
    })

    test('that nobody has removed is by the next one, or by down --temporary', async () => {
      for (const remove of [
        async () => (await startTestCluster(runtime, { environment: environmentOf(runtime) }))[Symbol.asyncDispose](),
        async () =>
          expect(await runCli(['down', '--temporary'], environmentOf(runtime))).toMatchObject({ exitCode: 0 }),
      ]) {
        const { owner, project } = await startOwner(runtime)
        const reapers = await reapersOf(owner)
        expect(reapers).toHaveLength(1)
        for (const pid of [...reapers, owner.pid!]) process.kill(pid, 'SIGKILL')
        await once(owner, 'exit')
        await remove()
        expect(await tracesOf(runtime, project)).toEqual([])
      }
    })
  },
  ['docker', 'local'],
)

const environmentOf = (runtime: TestRuntime): Record<string, string | undefined> => ({
  ...testEnvironment(runtime),
  LAB_RUNTIME: runtime,
  // Its clusters only: those of other tests are nobody's business, and not dead.
  LAB_STATE_DIR: join(TEST_STATE_DIR, 'owners'),
})

function spawnOwner(runtime: TestRuntime): ChildProcess {
  const program = ['--import', 'tsx', 'test/support/owner.ts', `${TEST_PREFIX}-owned`]
  return spawn(process.execPath, program, {
    cwd: ROOT,
    env: environmentOf(runtime),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

async function startOwner(runtime: TestRuntime): Promise<{ readonly owner: ChildProcess; readonly project: string }> {
  const owner = spawnOwner(runtime)
  const said = await new Promise<string>(resolve => {
    owner.stdout
      ?.setEncoding('utf8')
      .once('data', resolve)
      .once('end', () => resolve(''))
  })
  expect(said, 'it has ended before').not.toBe('')
  return { owner, project: said.trim() }
}

/** The project as soon as anything is there of it: its note. */
const firstTrace = (runtime: TestRuntime, owner: ChildProcess): Condition<string> => ({
  what: 'the owner to begin',
  observe: async () => {
    expect(owner.exitCode).toBeNull()
    const folder = environmentOf(runtime)['LAB_STATE_DIR'] ?? ''
    const names = existsSync(folder) ? readdirSync(folder) : []
    // A folder of its own on local; on Docker the note is all there is until the engine has made the first container.
    const project = names.map(name => name.replace('.temporary.json', '')).find(name => !name.includes('.'))
    const isThere = project !== undefined && (await tracesOf(runtime, project)).length > 1
    return isThere ? met(project) : notMet(names.join() || 'nothing')
  },
})

async function waitUntilGone(runtime: TestRuntime, project: string): Promise<void> {
  const gone: Condition<undefined> = {
    what: `${project} to be gone`,
    observe: async () => {
      const traces = await tracesOf(runtime, project)
      return traces.length === 0 ? met(undefined) : notMet(traces.join(', '))
    },
  }
  await waitUntil(gone, { timeoutMs: TIMEOUT_MS, intervalMs: 100 })
}

/** The processes that wait for the owner's end. */
async function reapersOf(owner: ChildProcess): Promise<number[]> {
  const { stdout } = await run(['ps', '-A', '-o', 'ppid=,pid=,args='], { environment: process.env })
  const lines = stdout.split('\n').map(line => line.trim().split(/\s+/))
  return lines
    .filter(([parent, , ...args]) => parent === String(owner.pid) && args.includes('--temporary'))
    .map(([, pid]) => Number(pid))
}

/** Files, processes, containers and volumes that bear its name. */
async function tracesOf(runtime: TestRuntime, project: string): Promise<string[]> {
  const environment = process.env
  const folder = environmentOf(runtime)['LAB_STATE_DIR'] ?? ''
  const lists = await Promise.all([
    run(['ps', '-A', '-o', 'args='], { environment }),
    ...(runtime === 'docker' ? ['ps --all', 'volume ls', 'network ls'] : []).map(list =>
      run(['docker', ...list.split(' ')], { environment }),
    ),
  ])
  const files = existsSync(folder) ? readdirSync(folder) : []
  return [...files, ...lists.flatMap(({ stdout }) => stdout.split('\n'))].filter(line => line.includes(project))
}
