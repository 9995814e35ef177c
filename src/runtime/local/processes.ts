/**
 * The processes of a node. Every PostgreSQL child has its own session and process group, so a signal to the
 * postmaster, or to its group, reaches none of them: a crash or a freeze must go to each.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { codeOf } from '../../errors.ts'
import { met, notMet, waitUntil } from '../../wait.ts'
import { run } from '../command.ts'

interface Process {
  readonly pid: number
  readonly parent: number
  /** One letter, as ps prints it: T is stopped, Z is dead but not yet collected by its parent. */
  readonly state: string
}

/** The process and all its descendants, itself first; empty if it is gone. */
export async function processTree(pid: number): Promise<readonly Process[]> {
  const alive = (await allProcesses()).filter(({ state }) => state !== 'Z')
  const tree = alive.filter(process => process.pid === pid)
  for (const parent of tree) tree.push(...alive.filter(process => process.parent === parent.pid)) // grows as it is walked
  return tree
}

/** One letter, as ps prints it (T is stopped); undefined if it is gone. */
export async function processState(pid: number): Promise<string | undefined> {
  const found =
    process.platform === 'linux'
      ? parseProcStat(readOrEmpty(`/proc/${pid}/stat`))
      : (await allProcesses()).find(p => p.pid === pid)
  return found === undefined || found.state === 'Z' ? undefined : found.state
}

/** The command line of a process, or '' if it is gone. */
export async function commandLine(pid: number): Promise<string> {
  if (process.platform === 'linux') return readOrEmpty(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')
  return (await run(['ps', '-o', 'command=', '-p', String(pid)], { environment: process.env })).stdout
}

/** Those of everybody, as far as this user may see them. */
export async function commandLines(): Promise<string[]> {
  if (process.platform === 'linux')
    return linuxPids().map(pid => readOrEmpty(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim())
  return (await run(['ps', '-A', '-o', 'args='], { environment: process.env })).stdout.split('\n')
}

/** Sends a signal to each; one that is gone already is no error. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch (error) {
      if (codeOf(error) !== 'ESRCH') throw error
    }
  }
}

/** Waits until none of them runs any more. */
export async function waitUntilGone(
  pids: readonly number[],
  what: string,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const observe = async (): Promise<ReturnType<typeof met<undefined>> | ReturnType<typeof notMet>> => {
    const left = await stillAlive(pids)
    return left.length === 0 ? met(undefined) : notMet(`${left.length} of its processes still run: ${left.join(', ')}`)
  }
  await waitUntil({ what: `${what} to end`, observe }, { ...options, intervalMs: 2 })
}

/** Waits until each of them stands still or is gone: SIGSTOP is only sent when kill returns. */
export async function waitUntilStopped(pids: readonly number[], what: string): Promise<void> {
  const observe = async (): Promise<ReturnType<typeof met<undefined>> | ReturnType<typeof notMet>> => {
    const states = await Promise.all(pids.map(processState))
    const moving = pids.filter((_, at) => states[at] !== undefined && states[at] !== 'T')
    return moving.length === 0
      ? met(undefined)
      : notMet(`${moving.length} of its processes still move: ${moving.join(', ')}`)
  }
  await waitUntil({ what: `${what} to stand still`, observe }, { timeoutMs: 10_000, intervalMs: 1 })
}

async function stillAlive(pids: readonly number[]): Promise<number[]> {
  if (process.platform !== 'linux') {
    const alive = (await allProcesses()).filter(({ state }) => state !== 'Z').map(({ pid }) => pid)
    return pids.filter(pid => alive.includes(pid))
  }
  return pids.filter(pid => {
    const state = parseProcStat(readOrEmpty(`/proc/${pid}/stat`))?.state
    return state !== undefined && state !== 'Z'
  })
}

/** Linux reads /proc, which takes 2 ms where ps takes 15: the difference would be in every measured outage. */
async function allProcesses(): Promise<Process[]> {
  if (process.platform !== 'linux') return await processesByPs()
  return linuxPids()
    .map(pid => parseProcStat(readOrEmpty(`/proc/${pid}/stat`)))
    .filter(process => process !== undefined)
}

const linuxPids = (): string[] => readdirSync('/proc').filter(name => /^\d+$/.test(name))

async function processesByPs(): Promise<Process[]> {
  const { stdout } = await run(['ps', '-A', '-o', 'pid=,ppid=,stat='], { environment: process.env })
  return stdout.split('\n').flatMap(line => {
    const [pid, parent, state] = line.trim().split(/\s+/)
    return pid === undefined || parent === undefined || state === undefined
      ? []
      : [{ pid: Number(pid), parent: Number(parent), state: state.slice(0, 1) }]
  })
}

/** `4711 (name, which may hold spaces and brackets) S 1 …`: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
function parseProcStat(text: string): Process | undefined {
  const fields = /^(\d+) \(.*\) (\S) (\d+) /s.exec(text)
  return fields === null ? undefined : { pid: Number(fields[1]), state: fields[2] ?? '', parent: Number(fields[3]) }
}

/** A process may end between being listed and being read. */
export function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
