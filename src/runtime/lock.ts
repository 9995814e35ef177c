/**
 * One process at a time changes a cluster. Whoever is refused is told who does, and since when.
 */
import { userInfo } from 'node:os'
import { LabError } from '../errors.ts'
import { met, notMet, waitUntil, type Condition } from '../wait.ts'
import { takeName, type Taken } from './exclusive.ts'

export interface LockOptions {
  /** What is done with the cluster, for those who are refused meanwhile: the command as it was typed. */
  readonly command: string
  /** Wait for whoever has it, instead of being refused. @default false */
  readonly wait?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** Told whom it waits for. */
  readonly onProgress?: ((step: string) => void) | undefined
}

/** Nobody else changes the cluster until it is disposed of, or the process ends. */
export interface Lock extends AsyncDisposable {
  /** Others may change the cluster meanwhile; then waits for whoever does, and has it again. */
  lend<T>(during: () => Promise<T>): Promise<T>
}

/**
 * @param cluster what tells it from every other that this machine can reach
 * @param refresh reads again what another command may have changed; called each time the lock is taken
 * @throws LabError LOCKED; TIMEOUT, INTERRUPTED while it waits
 */
export async function takeLock(cluster: string, refresh: () => Promise<void>, options: LockOptions): Promise<Lock> {
  const { command, wait = false, signal } = options
  const about = JSON.stringify({ command, pid: process.pid, user: userName(), since: new Date() })
  const limits = { timeoutMs: WAIT_MS, intervalMs: 50, signal }
  const whenFree = (): Promise<AsyncDisposable> => waitUntil(free(cluster, about, options.onProgress), limits)
  let held = wait ? await whenFree() : await atOnce(cluster, about)
  await refresh()
  return {
    lend: async during => {
      await held[Symbol.asyncDispose]()
      try {
        return await during()
      } finally {
        // At once if that is possible: what follows an interruption is to be undone, and a wait would end before it began.
        const taken = await take(cluster, about)
        held = 'held' in taken ? taken.held : await whenFree()
        await refresh()
      }
    },
    [Symbol.asyncDispose]: () => held[Symbol.asyncDispose](),
  }
}

/** Time for every procedure and lesson; a soak may take longer. */
const WAIT_MS = 600_000

async function atOnce(cluster: string, about: string): Promise<AsyncDisposable> {
  const taken = await take(cluster, about)
  if ('held' in taken) return taken.held
  const { pid } = holderIn(taken.holder) ?? {}
  throw new LabError('LOCKED', describe(taken.holder), {
    hint: `Wait for it with --wait${pid === undefined ? '' : `, or end it: kill ${pid}`}. Commands that only look need not wait.`,
  })
}

function free(cluster: string, about: string, onProgress?: (step: string) => void): Condition<AsyncDisposable> {
  return {
    what: 'the cluster to be free',
    observe: async signal => {
      const taken = await take(cluster, about)
      if ('held' in taken && !signal.aborted) return met(taken.held)
      if ('held' in taken) await taken.held[Symbol.asyncDispose]()
      const seen = 'held' in taken ? 'it is' : describe(taken.holder)
      onProgress?.(`waiting: ${seen}`)
      return notMet(seen)
    },
  }
}

/** A holder that says nothing may have ended just now. */
async function take(cluster: string, about: string): Promise<Taken> {
  const taken = await takeName(cluster, about)
  return 'held' in taken || taken.holder !== '' ? taken : await takeName(cluster, about)
}

interface Holder {
  readonly command: string
  readonly pid: number
  readonly user: string
  readonly since: string
}

const holderIn = (text: string): Holder | undefined => (text === '' ? undefined : (JSON.parse(text) as Holder))

function describe(text: string): string {
  const holder = holderIn(text)
  if (holder === undefined) return 'another process, which does not say which, is changing this cluster'
  const { command, pid, user, since } = holder
  return `"${command}" is changing this cluster (process ${pid} of ${user}, since ${new Date(since).toLocaleString('sv')})`
}

/** A container's user may have no name. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return `user ${process.getuid?.() ?? ''}`
  }
}
