/**
 * A name that one process of this machine has at a time, and that the kernel frees when the process ends, however it ends:
 * neither a file to be left behind, nor a process id that another process may have by now.
 */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { codeOf } from '../errors.ts'

/** Held until it is disposed of, or not held: then what its holder tells of itself, '' if it tells nothing. */
export type Taken = { readonly held: AsyncDisposable } | { readonly holder: string }

/** Takes it if nobody has it. `about` is what others are told meanwhile. */
export async function takeName(name: string, about: string): Promise<Taken> {
  const short = `pg-failover-lab-${createHash('sha256').update(name).digest('hex').slice(0, 32)}`
  return process.platform === 'linux' ? await listen(`\0${short}`, about) : await lockFile(`/tmp/${short}`, about)
}

/**
 * Linux: a socket of the abstract namespace, which has no file, no owner and no permissions: users see each other's.
 * https://man7.org/linux/man-pages/man7/unix.7.html
 */
async function listen(address: string, about: string): Promise<Taken> {
  const server = createServer(socket =>
    socket
      .unref()
      .on('error', () => undefined)
      .end(about),
  )
  const refused = await new Promise<Error | undefined>(resolve => {
    server.once('error', resolve).listen(address, () => resolve(undefined))
  })
  if (refused === undefined) {
    // Who forgets to release it may end all the same.
    server.unref()
    return { held: { [Symbol.asyncDispose]: async () => void server.close() } }
  }
  if (codeOf(refused) !== 'EADDRINUSE') throw refused
  return { holder: await ask(address) }
}

/** A holder that stands still does not answer, and one that has just ended cannot. */
async function ask(address: string): Promise<string> {
  const socket = connect(address)
  const limit = setTimeout(() => socket.destroy(), ANSWER_TIMEOUT_MS)
  const answer = await text(socket).catch(() => '')
  clearTimeout(limit)
  return answer
}

const ANSWER_TIMEOUT_MS = 1_000

/** BSD and macOS lock a file as they open it. https://man.freebsd.org/cgi/man.cgi?open(2) */
const O_EXLOCK = 0x20

async function lockFile(path: string, about: string): Promise<Taken> {
  const { O_RDWR, O_RDONLY, O_CREAT, O_NONBLOCK, O_NOFOLLOW } = constants
  const file = await open(path, O_RDWR | O_CREAT | O_NONBLOCK | O_NOFOLLOW | O_EXLOCK, 0o666).catch(
    (error: unknown) => {
      if (codeOf(error) !== 'EAGAIN') throw error
      return undefined
    },
  )
  if (file === undefined) {
    const held = await open(path, O_RDONLY | O_NOFOLLOW)
    return { holder: await held.readFile('utf8').finally(() => held.close()) }
  }
  await describe(file, about)
  return { held: { [Symbol.asyncDispose]: () => file.close() } }
}

async function describe(file: FileHandle, about: string): Promise<void> {
  await file.chmod(0o666).catch(() => undefined) // another user's, who has allowed it
  await file.truncate(0)
  await file.write(about, 0)
}
