/**
 * examples/users-service, with the library as a stranger has it: packed, and installed beside what its own lockfile says. Its own
 * tests run there, over HTTP, on clusters that fail.
 */
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run } from '../../src/runtime/command.ts'
import { ROOT } from '../support/cli.ts'
import { packInto } from '../support/packed.ts'
import { describeEachRuntime, TEST_STATE_DIR, testEnvironment } from '../support/runtimes.ts'

const TIMEOUT_MS = 300_000
const TESTS = 20
/** Of the cache: elsewhere than in CI they are left out where there is no Redis; see test/cache.test.ts. */
const TESTS_WITH_REDIS = 2

describeEachRuntime('the users service', runtime => {
  const folder = join(TEST_STATE_DIR, 'stranger')
  const lab = join(folder, 'lab')
  const service = join(lab, 'examples', 'users-service')
  // Not as a script of this project: what npm and vitest read from the environment is of the run around them.
  const own = Object.entries(testEnvironment(runtime)).filter(
    ([name]) => !/^(npm_|VITEST|TEST$|NODE_ENV$|FORCE_COLOR$)/i.test(name),
  )
  const environment = { ...Object.fromEntries(own), LAB_RUNTIME: runtime, NO_COLOR: '1' }

  async function does(argv: readonly [string, ...string[]], cwd = service): Promise<string> {
    const { exitCode, stdout, stderr } = await run(argv, { environment, cwd, timeoutMs: TIMEOUT_MS })
    expect(exitCode, stdout + stderr).toBe(0)
    return stdout
  }

  beforeAll(async () => {
    const tarball = await packInto(folder, environment)
    await cp(join(ROOT, 'examples', 'users-service'), service, {
      recursive: true,
      filter: path => !['node_modules', 'dist'].includes(basename(path)),
    })
    await cp(join(ROOT, 'examples', 'prepare.ts'), join(lab, 'examples', 'prepare.ts'))
    const manifest = await readFile(join(service, 'package.json'), 'utf8')
    expect(manifest).toContain('"link:../.."')
    await writeFile(join(service, 'package.json'), manifest.replace('link:../..', `file:${tarball}`))
    await does(['npx', '--yes', 'pnpm@10', 'install', '--no-frozen-lockfile', '--prefer-offline'])
  }, TIMEOUT_MS)
  afterAll(() => rm(folder, { recursive: true, force: true }))

  test('compiles against what was packed', { timeout: TIMEOUT_MS }, async () => {
    await does([process.execPath, join('node_modules', 'typescript', 'bin', 'tsc'), '--noEmit'])
  })

  test('passes its own tests, none left out', { timeout: TIMEOUT_MS }, async () => {
    const vitest = join('node_modules', 'vitest', 'vitest.mjs')
    const output = await does([process.execPath, vitest, 'run'])
    const isWithRedis = ['/usr/bin', '/usr/local/bin'].some(path => existsSync(join(path, 'redis-server')))
    const [, passed = '', skipped = '0'] = /Tests +(\d+) passed(?: \| (\d+) skipped)?/.exec(output) ?? []
    const left = isWithRedis ? 0 : TESTS_WITH_REDIS
    expect([Number(passed), Number(skipped)], output).toEqual([TESTS - left, left])
  })
})
