/**
 * My pool crashes the process: what happens, and what mends it.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { clusterTest } from 'pg-failover-lab/vitest'

const test = clusterTest()

/** A process of its own, with a pool that has one idle connection. It says so, and lives on. */
function startProcess(url: string, mended: string) {
  const program = `
    import pg from 'pg'
    const pool = new pg.Pool({ connectionString: ${JSON.stringify(url)} })
    ${mended}
    await pool.query('SELECT 1')
    console.log('idle')
    setInterval(() => undefined, 1_000)`
  return spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: ['ignore', 'pipe', 'ignore'] })
}

test('an idle connection that ends is the end of a process without a listener', async ({ cluster, expect }) => {
  const app = startProcess(cluster.url, '')
  await once(app.stdout, 'data')
  const ended = once(app, 'exit')
  await cluster.failover({ fault: 'crash' })
  expect(await ended, 'its exit code').toEqual([1, null])
})

test('with one it lives', async ({ cluster, expect }) => {
  const app = startProcess(cluster.url, `pool.on('error', error => console.log(error.message))`)
  await once(app.stdout, 'data')
  const told = once(app.stdout, 'data')
  await cluster.failover({ fault: 'crash' })
  await told
  expect(app.exitCode).toBeNull()
  app.kill()
})
