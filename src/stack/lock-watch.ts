/**
 * Follows the leader's lock in etcd: when it was free, and when somebody took it. By the clock of this process, when it heard of it.
 * https://etcd.io/docs/v3.5/learning/api/#watch-api
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Interruptible } from '../runtime/runtime.ts'
import { met, notMet, waitUntil } from '../wait.ts'
import type { PatroniStack } from './stack.ts'

/** The lock ended, by itself or because it was given back; or somebody holds it. */
export interface LockChange {
  /** performance.now() */
  readonly at: number
  /** Undefined: nobody does. */
  readonly holder: string | undefined
}

const READY_TIMEOUT_MS = 20_000

/** Disposing of it ends it. It hears nothing while the member of etcd that it asks is away, nor afterwards. */
export class LockWatch implements AsyncDisposable {
  /** In the order in which they came. */
  readonly changes: LockChange[] = []
  readonly #child: ChildProcess
  readonly #closed: Promise<void>
  #isReady = false
  #complaint = ''

  private constructor({ compose, variables, etcd, scope }: PatroniStack) {
    const [file, ...words] = compose
    // In the container it would outlive whoever asked for it: it ends when nobody holds its other end any more.
    const key = `/service/${scope}/leader`
    const script = `rev=$(etcdctl get '${key}' -w fields | sed -n 's/^"Revision" : //p' | head -n 1) && [ -n "$rev" ] || exit
      etcdctl watch '${key}' --rev=$((rev + 1)) -w json & watch=$!
      echo ready; cat >/dev/null; kill $watch`
    this.#child = spawn(file, [...words, 'exec', '-T', etcd[0] ?? 'etcd', 'sh', '-c', script], {
      env: variables,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#child.stdin?.on('error', () => undefined) // it has ended
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#complaint = text.trim()))
    if (this.#child.stdout !== null)
      createInterface({ input: this.#child.stdout }).on('line', line => this.#hear(line, performance.now()))
    this.#closed = new Promise(resolve => this.#child.once('close', () => resolve()).once('error', () => resolve()))
  }

  /** Hears every change from when it returns. @throws LabError TIMEOUT, INTERRUPTED */
  static async start(stack: PatroniStack, { signal }: Interruptible = {}): Promise<LockWatch> {
    const watch = new LockWatch(stack)
    const ready = {
      what: "etcd to tell of the leader's lock",
      observe: async () => (watch.#isReady ? met(undefined) : notMet(watch.#complaint || 'it says nothing yet')),
    }
    try {
      await waitUntil(ready, { timeoutMs: READY_TIMEOUT_MS, signal })
    } catch (error) {
      await watch[Symbol.asyncDispose]()
      throw error
    }
    return watch
  }

  #hear(line: string, at: number): void {
    if (line === 'ready') this.#isReady = true
    this.changes.push(...parseLockChanges(line).map(holder => ({ at, holder })))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end()
    const kill = setTimeout(() => this.#child.kill('SIGKILL'), GRACE_MS)
    await this.#closed
    clearTimeout(kill)
  }
}

const GRACE_MS = 3_000

interface WatchAnswer {
  readonly Events?: readonly { readonly type?: number; readonly kv?: { readonly value?: string } }[]
}

/** The holders that one answer to a watch tells of; undefined: nobody. A PUT has no type, a DELETE has 1. Pure. */
export function parseLockChanges(line: string): (string | undefined)[] {
  if (!line.startsWith('{')) return []
  const { Events = [] } = JSON.parse(line) as WatchAnswer
  return Events.map(({ type, kv }) => (type === 1 ? undefined : Buffer.from(kv?.value ?? '', 'base64').toString()))
}
