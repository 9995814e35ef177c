/**
 * The library's door: what importing it loads.
 */
import { expect, test } from 'vitest'
import { run } from '../../src/runtime/command.ts'

test('importing the library loads the driver, and no client of Docker: that waits until Docker is asked', async () => {
  const script = `
    import { createRequire } from 'node:module'
    await import('./src/index.ts')
    console.log(Object.keys(createRequire(import.meta.url).cache).join('\\n'))`
  const argv = [process.execPath, '--import', 'tsx', '--input-type=module', '--eval', script] as const
  const { stdout, stderr, exitCode } = await run([...argv], { environment: process.env })
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  expect(stdout).toMatch(/node_modules\/pg\//)
  expect(stdout).not.toMatch(/node_modules\/(?:dockerode|docker-modem|ssh2)\//)
}, 60_000)
