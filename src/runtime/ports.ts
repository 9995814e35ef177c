/**
 * Whether a port is free, and who has it if not.
 */
import { randomInt } from 'node:crypto'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { codeOf, LabError } from '../errors.ts'
import { portVariable } from '../topology/members.ts'
import { run } from './command.ts'
import type { Endpoint } from './runtime.ts'

/**
 * @param findHolder asked first who has the port, where more than the process is known
 * @throws LabError PORT_IN_USE, naming the process if it can be seen, and how to choose another port
 */
export async function requireFreePort(
  node: string,
  { host, port }: Endpoint,
  findHolder: (port: number) => Promise<string | undefined> = async () => undefined,
): Promise<void> {
  if (await isFree({ host, port })) return
  const holder = (await findHolder(port)) ?? (await portHolder(port))
  throw new LabError('PORT_IN_USE', `port ${port} on ${host}, meant for ${node}, is taken by ${holder}`, {
    hint: `Stop it, or choose another port with ${portVariable(node)}=${port + 1000} in the environment or in .env.`,
  })
}

/**
 * A port below the ephemeral range: a client that tries a dead port inside it may be given that very port for its own end,
 * and then connects to itself.
 */
export const randomPort = (): number => randomInt(LOWEST_PORT, LOWEST_EPHEMERAL_PORT)

const LOWEST_PORT = 10_000
/** Of Linux; others begin higher: https://docs.kernel.org/networking/ip-sysctl.html, ip_local_port_range */
const LOWEST_EPHEMERAL_PORT = 32_768

/** Whether a server could listen there now. */
export function isFree({ host, port }: Endpoint): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', error => (codeOf(error) === 'EADDRINUSE' ? resolve(false) : reject(error)))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** `postgres (process 4711)`, or `another process` where this user may not see it. */
async function portHolder(port: number): Promise<string> {
  const pid = process.platform === 'linux' ? await listenerByProc(port) : await listenerByLsof(port)
  if (pid === undefined) return 'another process'
  return `${(await nameOf(pid)) || 'a process'} (process ${pid})`
}

async function nameOf(pid: string): Promise<string> {
  if (process.platform === 'linux') return (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim()
  const found = await run(['ps', '-o', 'comm=', '-p', pid], { environment: process.env }).catch(() => undefined)
  return found?.stdout.trim() ?? ''
}

/** Linux: the socket's inode from /proc/net, then the process that has it open. */
async function listenerByProc(port: number): Promise<string | undefined> {
  const inodes = new Set<string>()
  for (const table of ['tcp', 'tcp6']) {
    const lines = (await readFile(`/proc/net/${table}`, 'utf8').catch(() => '')).split('\n')
    for (const fields of lines.map(line => line.trim().split(/\s+/))) {
      const isListening = fields[3] === '0A' && Number.parseInt(fields[1]?.split(':')[1] ?? '', 16) === port
      if (isListening && fields[9] !== undefined) inodes.add(`socket:[${fields[9]}]`)
    }
  }
  for (const pid of (await readdir('/proc')).filter(name => /^\d+$/.test(name))) {
    for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      if (inodes.has(await readlink(`/proc/${pid}/fd/${fd}`).catch(() => ''))) return pid
    }
  }
  return undefined
}

async function listenerByLsof(port: number): Promise<string | undefined> {
  const found = await run(['lsof', '-nP', '-t', `-iTCP:${port}`, '-sTCP:LISTEN'], { environment: process.env }).catch(
    () => undefined,
  )
  return found?.stdout.split('\n')[0] || undefined
}
