/**
 * A small filesystem for the data of replica1, which can be filled.
 */
import { existsSync, readFileSync } from 'node:fs'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { streaming, waitUntil, type Cluster } from '../../src/index.ts'
import { run } from '../../src/runtime/command.ts'
import { TEST_STATE_DIR, TIMEOUT_MS, type TestRuntime } from './runtimes.ts'

/** For Docker its engine mounts one; here that takes CAP_SYS_ADMIN, bit 21 of what this process may do. */
export function whyNoSmallDisk(runtime: TestRuntime): string | undefined {
  if (runtime === 'docker') return undefined
  const [, capabilities] = existsSync('/proc/self/status')
    ? (/^CapEff:\s*(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [])
    : []
  const mayMount = ((BigInt(`0x${capabilities ?? '0'}`) >> 21n) & 1n) === 1n
  return mayMount ? undefined : ' (left out: only root can mount a small filesystem)'
}

/** The compose file with a small filesystem as the volume of replica1. */
export async function withSmallVolume(): Promise<string> {
  const folder = join(TEST_STATE_DIR, 'small-volume')
  await mkdir(folder, { recursive: true })
  for (const name of ['primary-init', 'replica-entrypoint']) await cp(name, join(folder, name), { recursive: true })
  const file = join(folder, 'docker-compose.yml')
  const text = await readFile('docker-compose.yml', 'utf8')
  expect(text).toContain('  replica1-data: {}\n')
  const small = '{ driver_opts: { type: tmpfs, device: tmpfs, o: size=300m } }'
  await writeFile(file, text.replace('  replica1-data: {}\n', `  replica1-data: ${small}\n`))
  return file
}

/** Has replica1 cloned anew onto a small filesystem. */
export async function mountSmallDisk(cluster: Cluster): Promise<AsyncDisposable> {
  const volume = join(TEST_STATE_DIR, cluster.topology.project, cluster.node('replica1').data.volume)
  const asRoot = async (...argv: [string, ...string[]]): Promise<string> => {
    const { exitCode, stdout, stderr } = await run(argv, { environment: process.env })
    expect({ exitCode, stderr }, argv.join(' ')).toEqual({ exitCode: 0, stderr: '' })
    return stdout.trim()
  }
  await cluster.runtime.stop('replica1', 'fast')
  const owner = await asRoot('stat', '-c', '%u:%g', volume)
  await asRoot('mount', '-t', 'tmpfs', '-o', 'size=300m,mode=0700', 'tmpfs', volume)
  const unmount = {
    [Symbol.asyncDispose]: async () => {
      if ((await cluster.runtime.state('replica1')) === 'running') await cluster.runtime.stop('replica1', 'fast')
      await asRoot('umount', '--lazy', volume)
    },
  }
  try {
    await asRoot('chown', owner, volume)
    await cluster.runtime.start('replica1')
    await waitUntil(streaming(cluster, 'replica1', 'primary'), { timeoutMs: TIMEOUT_MS })
  } catch (error) {
    await unmount[Symbol.asyncDispose]()
    throw error
  }
  return unmount
}
