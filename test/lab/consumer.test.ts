/**
 * The package as a stranger has it: packed, and installed into an empty project from the registry.
 */
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run } from '../../src/runtime/command.ts'
import { ROOT } from '../support/cli.ts'
import { packInto } from '../support/packed.ts'
import { describeEachRuntime, TEST_STATE_DIR, testEnvironment } from '../support/runtimes.ts'

const INSTALL_TIMEOUT_MS = 300_000
const EXAMPLES = ['app.ts', 'orders.test.ts']

describeEachRuntime('an empty project that installs the package', runtime => {
  const project = join(TEST_STATE_DIR, 'project')
  // Not as a script of this project: what npm and vitest read from the environment is of the run around them.
  const own = Object.entries(testEnvironment(runtime)).filter(
    ([name]) => !/^(npm_|VITEST|TEST$|NODE_ENV$|FORCE_COLOR$)/i.test(name),
  )
  const environment = { ...Object.fromEntries(own), LAB_RUNTIME: runtime, NO_COLOR: '1' }

  async function does(argv: readonly [string, ...string[]], cwd = project): Promise<string> {
    const { exitCode, stdout, stderr } = await run(argv, { environment, cwd, timeoutMs: INSTALL_TIMEOUT_MS })
    expect(exitCode, stdout + stderr).toBe(0)
    return stdout
  }

  beforeAll(async () => {
    await mkdir(project, { recursive: true })
    const tarball = await packInto(join(TEST_STATE_DIR, 'packed'), environment)
    await writeFile(join(project, 'package.json'), '{ "name": "stranger", "private": true, "type": "module" }')
    const { devDependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
      readonly devDependencies: Readonly<Record<string, string>>
    }
    const quiet = ['--no-audit', '--no-fund', '--ignore-scripts', '--omit=optional']
    const packages = [tarball, `vitest@${devDependencies['vitest']}`, '@types/node@20']
    await does(['npm', 'install', ...quiet, ...packages, '--include=optional'])
    for (const name of EXAMPLES) await cp(join(ROOT, 'examples', 'library', name), join(project, name))
  }, INSTALL_TIMEOUT_MS)
  afterAll(async () => {
    for (const folder of [project, join(TEST_STATE_DIR, 'packed')]) await rm(folder, { recursive: true, force: true })
  })

  test('runs the first example of the documents as it is printed', { timeout: INSTALL_TIMEOUT_MS }, async () => {
    expect(await does(['npx', 'vitest', 'run'])).toMatch(/Tests +1 passed/)
  })

  test('takes the router alone, which loads the driver and nothing of the lab', { timeout: 60_000 }, async () => {
    await writeFile(join(project, 'router.mjs'), ONLY_THE_ROUTER)
    const loaded = await does([process.execPath, 'router.mjs'])
    expect(loaded).toMatch(/NO_PRIMARY/)
    expect(loaded).not.toMatch(/dockerode|yaml|vitest/)
    await rm(join(project, 'router.mjs'))
  })

  test.each([
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ])(
    'compiles against its declarations, all of them, with module %s',
    { timeout: 60_000 },
    async (module, resolution) => {
      const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
      const strict = ['--noEmit', '--strict', '--skipLibCheck', 'false', '--types', 'node']
      const target = ['--target', 'es2022', '--lib', 'es2023,esnext.disposable']
      await writeFile(join(project, 'only.test.ts'), ONLY_THE_LIBRARY)
      await does([
        process.execPath,
        compiler,
        ...strict,
        ...target,
        '--module',
        module,
        '--moduleResolution',
        resolution,
        'only.test.ts',
      ])
      await rm(join(project, 'only.test.ts'))
    },
  )
})

const ONLY_THE_ROUTER = `
import { createRequire } from 'node:module'
import { createRouter } from 'pg-failover-lab/router'
const router = createRouter({ hosts: ['127.0.0.1:1'], user: 'u', password: 'p', database: 'd', findTimeoutMs: 100 })
await router.write('SELECT 1').catch(error => console.log(error.code))
await router.end()
console.log(Object.keys(createRequire(import.meta.url).cache).join('\\n'))
`

/** Without the driver's own declarations, which a stranger need not have. */
const ONLY_THE_LIBRARY = `
import { startCluster, type LoadOutcome } from 'pg-failover-lab'
import { clusterTest } from 'pg-failover-lab/vitest'
const test = clusterTest({ replicas: 1 })
test('x', async ({ cluster, expect }) => {
  await using load = cluster.load({ sql: 'INSERT INTO t VALUES ($1)' })
  const outcome: LoadOutcome = await load.judge({ table: 't' })
  expect(outcome).toHaveLost(lost => lost < 3)
  await expect(cluster).toBeStreaming()
  await expect(async () => 1).toSurviveFailover({ cluster, table: 't', maxOutageMs: 1_000 })
  await (await startCluster()).dispose()
})
`
