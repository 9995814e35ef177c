import { createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { Sessions } from '../../../src/cluster/sessions.ts'
import { connect } from '../../../src/postgres/connection.ts'
import { catchLabError } from '../../support/catch-lab-error.ts'

const MESSAGE = { authenticationOk: 'R', readyForQuery: 'Z', query: 'Q'.charCodeAt(0) }

/** A server which lets everybody in, and does with each statement what `answer` does with the connection. */
async function aServer(
  answer: (socket: Socket, statements: number) => void,
): Promise<AsyncDisposable & { readonly sessions: Sessions; statements(): number; connections(): number }> {
  const sockets = new Set<Socket>()
  let [statements, connections] = [0, 0]
  const server = createServer(socket => {
    sockets.add(socket)
    connections++
    let isIn = false
    socket
      .on('error', () => undefined)
      .on('data', data => {
        if (!isIn) {
          isIn = true
          socket.write(Buffer.from([...bytes('R', [0, 0, 0, 0]), ...bytes('Z', [0x49])]))
        } else if (data[0] === MESSAGE.query) answer(socket, ++statements)
      })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const who = { host: '127.0.0.1', port, user: 'lab', password: 'lab', database: 'testdb' }
  const sessions = new Sessions((_, signal) => connect({ ...who, signal, connectTimeoutMs: 500 }))
  return {
    sessions,
    statements: () => statements,
    connections: () => connections,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await sessions[Symbol.asyncDispose]()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

/** A message of the protocol. https://www.postgresql.org/docs/current/protocol-message-formats.html */
const bytes = (type: string, content: readonly number[]): number[] => [
  type.charCodeAt(0),
  ...[0, 0, 0, content.length + 4],
  ...content,
]

const DONE = Buffer.from([...bytes('C', [...Buffer.from('SELECT 0\0')]), ...bytes('Z', [0x49])])

test('what may have been done is not done again when the connection ends under it; a question is asked again', async () => {
  await using server = await aServer((socket, statement) => (statement < 3 ? socket.destroy() : socket.write(DONE)))
  const { sessions } = server
  const lost = await catchLabError('CONNECTION_LOST', () =>
    sessions.with('replica1', session => session.query('SELECT pg_promote()')),
  )
  expect(lost.message).toContain('the connection to replica1 ended before the answer')
  expect(server.statements()).toBe(1)
  await expect(sessions.ask('replica1', session => session.query('SELECT'))).resolves.toEqual([])
  expect(server.statements()).toBe(3)
})

test('a question without an answer in time is not asked again, nor are those that wait behind it', async () => {
  await using server = await aServer(() => undefined)
  const ask = (): Promise<unknown> =>
    server.sessions.ask('replica1', session => session.query('SELECT', [], { timeoutMs: 100 }))
  await server.sessions.ask('replica1', () => Promise.resolve())
  const answers = await Promise.all([1, 2, 3].map(() => catchLabError('UNREACHABLE', ask)))
  expect(answers[0]?.message).toBe('replica1 does not answer: no answer within 100 ms')
  expect([server.statements(), server.connections()]).toEqual([1, 1])
})

test('who gives up waiting for an answer does not keep the connection from the others', async () => {
  let waiting: Socket | undefined
  await using server = await aServer((socket, statement) => (statement === 1 ? (waiting = socket) : socket.write(DONE)))
  const { sessions } = server
  const interrupt = new AbortController()
  const first = sessions.ask('replica1', session => session.query('SELECT'), interrupt.signal)
  await sessions.ask('replica1', () => Promise.resolve())
  const second = sessions.ask('replica1', session => session.query('SELECT'))
  interrupt.abort()
  await catchLabError('INTERRUPTED', () => first)
  while (waiting === undefined) await new Promise(resolve => setImmediate(resolve))
  waiting.write(DONE)
  await expect(second).resolves.toEqual([])
})
