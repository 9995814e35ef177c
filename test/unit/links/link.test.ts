/**
 * Links, with real sockets: what passes, what waits, and what the two ends see.
 */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Disposer } from '../../../src/dispose.ts'
import { codeOf } from '../../../src/errors.ts'
import { Link, requireSpeed, type Impairment } from '../../../src/links/link.ts'
import type { Endpoint } from '../../../src/runtime/runtime.ts'
import { met, notMet, waitUntil, type Condition } from '../../../src/wait.ts'
import { catchLabError } from '../../support/catch-lab-error.ts'

const LIMIT = { timeoutMs: 10_000, intervalMs: 1 }
const BOTH = ['target', 'client'] as const
const stall = (towards: readonly ('target' | 'client')[] = BOTH): Impairment => ({
  ...{ kind: 'stall', towards, newConnections: 'silent' },
})

describe('a link', () => {
  test('passes bytes unchanged and in order, both ways, whatever the pieces and however it is impaired meanwhile', async () => {
    await using echo = await startServer(socket => socket.pipe(socket))
    const impairment = fc.oneof(
      fc.constantFrom<Impairment>(stall(), stall(['target']), stall(['client'])),
      fc.record({
        kind: fc.constant('slow' as const),
        latencyMs: fc.integer({ min: 0, max: 5 }),
        bytesPerSecond: fc.constantFrom(5_000_000, 50_000_000, Infinity),
      }),
    )
    const step = fc.record({ bytes: fc.uint8Array({ maxLength: 100_000 }), impairment: fc.option(impairment) })
    const unchanged = async (steps: readonly { bytes: Uint8Array; impairment: Impairment | null }[]): Promise<void> => {
      await using link = await Link.open(echo.endpoint)
      const client = await dial(link.endpoint)
      const answer = allOf(client)
      for (const { bytes, impairment: imposed } of steps) await sendUnder(link, client, { bytes, imposed })
      client.end()
      expect((await answer).equals(Buffer.concat(steps.map(({ bytes }) => bytes)))).toBe(true)
    }
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 8 }), unchanged), { numRuns: 50 })
  })

  test('is reset for those that it does not admit, and for them alone', async () => {
    await using server = await startServer()
    const asked: string[] = []
    const admits = async (address: string): Promise<boolean> => asked.push(address) > 1
    await using link = await Link.open(server.endpoint, { admits })
    expect(await failure(connect(link.endpoint))).toBe('ECONNRESET')
    const [client, target] = await through(link, server)
    const received = allOf(target)
    client.end('now')
    expect((await received).toString()).toBe('now')
    expect(asked).toEqual(['127.0.0.1', '127.0.0.1'])
  })

  test('hands on the end of each direction by itself, and a reset as a reset', async () => {
    await using server = await startServer()
    await using link = await Link.open(server.endpoint)
    const [client, target] = await through(link, server)
    const received = allOf(target)
    client.end('the client has said all')
    expect((await received).toString()).toBe('the client has said all')
    const answered = allOf(client)
    target.end('the server has not')
    expect((await answered).toString()).toBe('the server has not')

    const [other, itsTarget] = await through(link, server)
    const failed = failure(other)
    itsTarget.resetAndDestroy()
    expect(await failed).toBe('ECONNRESET')
  })

  test('makes its sender wait for a receiver that does not read', async () => {
    await using server = await startServer()
    await using link = await Link.open(server.endpoint)
    const [client, target] = await through(link, server)
    target.pause()
    let written = 0
    const piece = Buffer.alloc(1024 * 1024, 'x')
    const isHeldUp: Condition<undefined> = {
      what: 'the sender to be held up',
      observe: async () => {
        // Whatever the kernel takes: the link itself must not take without end.
        if (client.writableLength > 0)
          return client.bytesWritten > 0 && stoodStill(client) ? met(undefined) : notMet('')
        client.write(piece)
        written += piece.length
        return notMet(`${written} bytes are on their way`)
      },
    }
    await waitUntil(isHeldUp, { ...LIMIT, intervalMs: 20 })
    expect(written).toBeLessThan(64 * piece.length)
    const received = allOf(target)
    client.end()
    expect((await received).length).toBe(written)
  })

  test('stalled, keeps its connections and lets nothing through; healed, it delivers what was sent meanwhile', async () => {
    await using server = await startServer()
    await using link = await Link.open(server.endpoint)
    const [client, target] = await through(link, server)
    const stalled = await link.impose(stall())
    client.write('to the target')
    target.write('to the client')
    const late = await dial(link.endpoint)
    late.write('from one who came meanwhile')
    await wholeExchange(server)
    expect([target.bytesRead, client.bytesRead]).toEqual([0, 0])
    expect([client.closed, target.closed, late.closed]).toEqual([false, false, false])
    expect(server.sockets, 'the newcomer is not at the target').toHaveLength(2)
    await stalled[Symbol.asyncDispose]()
    await stalled[Symbol.asyncDispose]()
    expect(await next(target)).toBe('to the target')
    expect(await next(client)).toBe('to the client')
    expect(await next(await server.socket(2))).toBe('from one who came meanwhile')
  })

  test('stalled one way, lets the other way pass, and an end that was lost is heard of when it heals', async () => {
    await using server = await startServer()
    await using link = await Link.open(server.endpoint)
    const [client, target] = await through(link, server)
    await using stalled = await link.impose(stall(['target']))
    client.end('lost')
    target.write('heard')
    expect(await next(client)).toBe('heard')
    expect(target.bytesRead).toBe(0)
    const received = allOf(target)
    await stalled[Symbol.asyncDispose]()
    expect((await received).toString()).toBe('lost')
  })

  test('with impairments over each other, heals when the last of them ends, in any order', async () => {
    await using server = await startServer()
    await using link = await Link.open(server.endpoint)
    const [client, target] = await through(link, server)
    const [first, second] = [await link.impose(stall()), await link.impose(stall())]
    client.write('sent')
    await first[Symbol.asyncDispose]()
    await wholeExchange(server)
    expect(target.bytesRead).toBe(0)
    await second[Symbol.asyncDispose]()
    expect(await next(target)).toBe('sent')
  })

  test('slow, delays each way by its latency and shares its bandwidth among the connections', async () => {
    await using echo = await startServer(socket => socket.pipe(socket))
    await using link = await Link.open(echo.endpoint)
    const clients = [await dial(link.endpoint), await dial(link.endpoint)]
    await using late = await link.impose({ kind: 'slow', latencyMs: 40, bytesPerSecond: Infinity })
    const sentAt = performance.now()
    for (const client of clients) client.write('x')
    for (const client of clients) expect(await next(client)).toBe('x')
    expect(performance.now() - sentAt).toBeGreaterThanOrEqual(79)
    await late[Symbol.asyncDispose]()
    await using _narrow = await link.impose({ kind: 'slow', latencyMs: 0, bytesPerSecond: 100_000 })
    const startedAt = performance.now()
    const echoed = Promise.all(clients.map(allOf))
    for (const client of clients) client.end(Buffer.alloc(20_000))
    expect((await echoed).map(({ length }) => length)).toEqual([20_000, 20_000])
    // 40,000 bytes go there over one line, and the last piece of 2,000 comes back over the other.
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(415)
  })

  test('stalled so that it refuses newcomers, keeps those that are there', async () => {
    await using server = await startServer()
    await using link = await Link.open(server.endpoint)
    const [client, target] = await through(link, server)
    await using _stalled = await link.impose({ kind: 'stall', towards: BOTH, newConnections: 'refused' })
    expect(await failure(connect(link.endpoint))).toBe('ECONNREFUSED')
    expect([client.closed, target.closed]).toEqual([false, false])
  })

  test('refuses for as long as its target does', async () => {
    const server = await startServer()
    await using link = await Link.open(server.endpoint)
    await server[Symbol.asyncDispose]()
    const refused: Condition<undefined> = {
      what: 'the link to refuse',
      observe: async () => {
        const code = await failure(connect(link.endpoint))
        return code === 'ECONNREFUSED' ? met(undefined) : notMet(code)
      },
    }
    await waitUntil(refused, LIMIT)
    await using again = await startServer(undefined, server.endpoint.port)
    const taken: Condition<undefined> = {
      what: 'the link to take connections again',
      observe: async () => ((await control(link.endpoint)) === 'connected' ? met(undefined) : notMet('it refuses')),
    }
    await waitUntil(taken, LIMIT)
    expect((await through(link, again))[1].remotePort).toBeDefined()
  })

  test('disposed of, resets its connections and is gone, also while it is stalled and its target is down', async () => {
    const server = await startServer()
    const link = await Link.open(server.endpoint)
    const [client] = await through(link, server)
    await link.impose(stall())
    const waiting = await dial(link.endpoint)
    const failures = Promise.all([failure(client), failure(waiting)])
    await server[Symbol.asyncDispose]()
    await link[Symbol.asyncDispose]()
    await link[Symbol.asyncDispose]()
    expect(await failures).toEqual(['ECONNRESET', 'ECONNRESET'])
    expect(await failure(connect(link.endpoint))).toBe('ECONNREFUSED')
  })
})

test('no link is faster than nothing, or has no bandwidth at all', async () => {
  for (const speed of [{ latencyMs: -1 }, { latencyMs: NaN }, { bytesPerSecond: 0 }, { latencyMs: Infinity }])
    await catchLabError('USAGE', () => requireSpeed({ latencyMs: 0, bytesPerSecond: Infinity, ...speed }))
  requireSpeed({ latencyMs: 0, bytesPerSecond: Infinity })
})

interface TestServer extends AsyncDisposable {
  readonly endpoint: Endpoint
  readonly sockets: readonly Socket[]
  /** The one that connected so many after the first. */
  socket(at: number): Promise<Socket>
}

async function startServer(serve: (socket: Socket) => unknown = () => undefined, port = 0): Promise<TestServer> {
  const sockets: Socket[] = []
  const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
    socket.on('error', () => undefined)
    sockets.push(socket)
    serve(socket)
  })
  await once(server.listen(port, '127.0.0.1'), 'listening')
  const address = server.address()
  const resources = new Disposer()
  resources.defer(async () => {
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await closed
  })
  const arrived = (at: number): Condition<Socket> => ({
    what: `connection ${at} at the server`,
    observe: async () => (sockets[at] === undefined ? notMet(`there are ${sockets.length}`) : met(sockets[at])),
  })
  return {
    endpoint: { host: '127.0.0.1', port: typeof address === 'object' ? (address?.port ?? 0) : 0 },
    sockets,
    socket: at => waitUntil(arrived(at), LIMIT),
    [Symbol.asyncDispose]: () => resources[Symbol.asyncDispose](),
  }
}

async function dial(endpoint: Endpoint): Promise<Socket> {
  const socket = connect({ ...endpoint, allowHalfOpen: true, noDelay: true })
  await once(socket, 'connect')
  socket.on('error', () => undefined)
  return socket
}

/** Both ends of a connection through the link. */
async function through(link: Link, server: TestServer): Promise<[client: Socket, target: Socket]> {
  const before = server.sockets.length
  const client = await dial(link.endpoint)
  return [client, await server.socket(before)]
}

/** Everything until its end. Not by node's own stream consumers, which close the other direction, too. */
async function allOf(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk)).resume()
  await once(socket, 'end')
  return Buffer.concat(chunks)
}

/** There and back through a link that is well: whatever would pass another has passed it by then. */
async function wholeExchange(server: TestServer): Promise<void> {
  await using link = await Link.open(server.endpoint)
  const [client, target] = await through(link, server)
  client.write('there')
  expect(await next(target)).toBe('there')
  target.write('back')
  expect(await next(client)).toBe('back')
}

/** The code a connection fails with. */
async function failure(socket: Socket): Promise<string> {
  return await new Promise(resolve => socket.once('error', error => resolve(codeOf(error) ?? error.message)))
}

/** One connection, made and ended. */
async function control(endpoint: Endpoint): Promise<string> {
  const socket = connect(endpoint)
  return await new Promise(resolve => {
    socket.once('connect', () => resolve('connected')).once('error', error => resolve(error.message))
    socket.once('connect', () => socket.destroy())
  })
}

async function next(socket: Socket): Promise<string> {
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  return chunk.toString()
}

async function sendUnder(
  link: Link,
  client: Socket,
  { bytes, imposed }: { readonly bytes: Uint8Array; readonly imposed: Impairment | null },
): Promise<void> {
  await using _imposed = imposed === null ? undefined : await link.impose(imposed)
  client.write(bytes)
}

const seen = new WeakMap<Socket, number>()
/** Whether the kernel has taken nothing since the last look. */
function stoodStill(socket: Socket): boolean {
  const taken = socket.bytesWritten - socket.writableLength
  const stood = seen.get(socket) === taken
  seen.set(socket, taken)
  return stood
}
