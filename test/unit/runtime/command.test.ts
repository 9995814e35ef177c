import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { run } from '../../../src/runtime/command.ts'
import { catchLabError } from '../../support/catch-lab-error.ts'

test('a program that is interrupted has ended when the caller is told', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lab-command-'))
  const last = join(folder, 'ended')
  // It would sleep for a minute, and is killed by the trap: that one takes its time.
  const script = `
    trap 'kill $!; for ((i = 0; i < 100; i++)); do cat /proc/self/stat >/dev/null 2>&1 || true; done; : >"$1"; exit 1' TERM
    sleep 60 >/dev/null 2>&1 &
    echo ready >&2
    wait`
  const interrupt = new AbortController()
  try {
    const running = run(['bash', '-c', script, 'bash', last], {
      environment: process.env,
      signal: interrupt.signal,
      onLine: () => interrupt.abort(),
    })
    await catchLabError('INTERRUPTED', () => running)
    expect(existsSync(last)).toBe(true)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a program that does not end within its limit is ended, and said to be', async () => {
  const begun = performance.now()
  const options = { environment: process.env, timeoutMs: 49.5 }
  const error = await catchLabError('TIMEOUT', () => run(['sleep', '60'], options))
  expect(error.message).toBe('sleep did not end within 50 ms, and was told to')
  expect(performance.now() - begun).toBeLessThan(5_000)
})

test('a program that is not there cannot be run, also when the caller has given up', async () => {
  const environment = process.env
  const error = await catchLabError('PROGRAM_MISSING', () => run(['no-such-program'], { environment }))
  expect(error.message).toBe('no-such-program is needed, and is in no folder of PATH')
  expect(error.hint).toBe('Install no-such-program, or add its folder to PATH.')
  const signal = AbortSignal.abort()
  await catchLabError('INTERRUPTED', () => run(['no-such-program'], { environment, signal }))
})
