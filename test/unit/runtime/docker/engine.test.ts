import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Docker from 'dockerode'
import { expect, test } from 'vitest'
import { connectEngine, within } from '../../../../src/runtime/docker/engine.ts'
import { catchLabError } from '../../../support/catch-lab-error.ts'

/** An engine that takes connections and answers nothing, as one that hangs does. */
async function aSilentEngine(): Promise<AsyncDisposable & { readonly socketPath: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'lab-engine-'))
  const socketPath = join(folder, 'docker.sock')
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket.on('error', () => undefined).once('close', () => sockets.delete(socket)))
  })
  await new Promise<void>(resolve => server.listen(socketPath, resolve))
  return {
    socketPath,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
      rmSync(folder, { recursive: true })
    },
  }
}

test('what takes as long as a container does has the limit of whoever waits for it, and its signal', async () => {
  await using engine = await aSilentEngine()
  const container = new Docker({ socketPath: engine.socketPath }).getContainer('pg_primary')
  const limits = { what: 'pg_primary to be gone', timeoutMs: 100.5 }
  const late = await catchLabError('TIMEOUT', () => within(limits, abortSignal => container.wait({ abortSignal })))
  expect(late.message).toBe('waited 101 ms for pg_primary to be gone')
  const interrupt = new AbortController()
  const left = catchLabError('INTERRUPTED', () =>
    within({ ...limits, timeoutMs: 60_000, signal: interrupt.signal }, abortSignal => container.wait({ abortSignal })),
  )
  setImmediate(() => interrupt.abort())
  await left
})

test('an engine that does not answer is none', async () => {
  await using engine = await aSilentEngine()
  const error = await catchLabError('NO_RUNTIME', () => connectEngine({ DOCKER_HOST: `unix://${engine.socketPath}` }))
  expect(error.message).toBe('no Docker Engine answers: no answer within 2000 ms')
})

test.each(['tcp://10.0.0.7:2375', 'ssh://me@there', 'npipe:////./pipe/docker_engine', '/var/run/docker.sock'])(
  'an engine at %s is refused: Compose and the lab might talk to two',
  async host => {
    const error = await catchLabError('NO_RUNTIME', () => connectEngine({ DOCKER_HOST: host }))
    expect(error.message).toBe(`the Docker Engine is at ${host}, and the lab needs one on this machine`)
  },
)
