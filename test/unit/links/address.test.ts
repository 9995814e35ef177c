import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { Disposer } from '../../../src/dispose.ts'
import { Address } from '../../../src/links/address.ts'
import type { Endpoint } from '../../../src/runtime/runtime.ts'

let resources = new Disposer()
afterEach(async () => {
  await resources[Symbol.asyncDispose]()
  resources = new Disposer()
})

/** Says its name, and echoes what it is sent. */
async function server(name: string): Promise<Endpoint> {
  const sockets = new Set<Socket>()
  const listening = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => undefined).write(name)
    socket.pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(listening, 'listening')
  resources.defer(async () => {
    for (const socket of sockets) socket.destroy()
    listening.close()
    await once(listening, 'close')
  })
  return { host: '127.0.0.1', port: (listening.address() as { port: number }).port }
}

async function client(address: Address): Promise<Socket> {
  const socket = connect(address.endpoint)
  resources.defer(() => void socket.destroy())
  return socket.on('error', () => undefined)
}

/** Also after an error, which a reset is. */
const closedOf = (socket: Socket): Promise<unknown> => new Promise(resolve => socket.once('close', resolve))

const read = async (socket: Socket): Promise<string> => String((await once(socket, 'data'))[0])

test('leads each connection to where it leads then, and what is open stays, or is reset', async () => {
  const [one, two] = [await server('one'), await server('two')]
  let now: Endpoint | undefined = one
  const address = resources.use(await Address.open(() => now))
  const first = await client(address)
  expect(await read(first)).toBe('one')
  now = two
  const second = await client(address)
  expect(await read(second)).toBe('two')
  first.write('still')
  expect(await read(first)).toBe('still')

  const reset = closedOf(first)
  address.dropOthers()
  await reset
  second.write('here')
  expect(await read(second)).toBe('here')

  now = undefined
  const nowhere = await client(address)
  await closedOf(nowhere)
})

test('resets who would be led to a server that is gone, and takes the port it is given', async () => {
  const gone = await server('gone')
  await resources[Symbol.asyncDispose]()
  resources = new Disposer()
  const address = resources.use(await Address.open(() => gone))
  await closedOf(await client(address))
  await expect(Address.open(() => gone, address.endpoint.port)).rejects.toMatchObject({ code: 'PORT_IN_USE' })
})

test('ends with every connection that goes over it', async () => {
  const one = await server('one')
  const address = await Address.open(() => one)
  const socket = await client(address)
  await read(socket)
  const closed = closedOf(socket)
  await address[Symbol.asyncDispose]()
  await closed
})
