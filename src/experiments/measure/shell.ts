/**
 * A line of the user's own, run through a shell: what takes the primary away, what heals the cluster, what says that it is well.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { codeOf } from '../../errors.ts'
import { pause } from '../../wait.ts'

/** How it ended; null: a signal ended it. */
export interface ShellEnd {
  readonly exitCode: number | null
  /** performance.now() */
  readonly endedAt: number
}

export interface ShellOptions {
  /** Told of each line that it prints, on stdout or stderr. */
  readonly onLine?: ((line: string) => void) | undefined
}

/** It leads a process group of its own. Disposing of it ends the group, if the line has not ended by itself. */
export class ShellLine implements AsyncDisposable {
  /** performance.now() */
  readonly startedAt = performance.now()
  /** Settles when the shell has ended; what it leaves running in the background may go on. */
  readonly ended: Promise<ShellEnd>
  readonly #child: ChildProcess
  #end: ShellEnd | undefined

  constructor(line: string, { onLine }: ShellOptions = {}) {
    this.#child = spawn('sh', ['-c', line], { detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      const lines = linesOf(onLine)
      stream?.setEncoding('utf8').on('data', lines.add).once('end', lines.flush)
    }
    // Not 'close': a server that the line has started in the background holds the pipes open for as long as it runs.
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject)
      this.#child.once('exit', exitCode => {
        this.#end = { exitCode, endedAt: performance.now() }
        resolve(this.#end)
      })
    })
    this.ended.catch(() => undefined) // whoever waits for it is told
  }

  /** Undefined while it runs. */
  get end(): ShellEnd | undefined {
    return this.#end
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#end === undefined) {
      this.#signal('SIGTERM')
      const kill = setTimeout(() => this.#signal('SIGKILL'), GRACE_MS)
      await this.ended.catch(() => undefined)
      clearTimeout(kill)
    }
    await drained(this.#child)
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream?.destroy()
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#child.pid === undefined) return
    try {
      process.kill(-this.#child.pid, signal)
    } catch (error) {
      if (codeOf(error) !== 'ESRCH') throw error
    }
  }
}

/** What does not heed being asked is killed. */
const GRACE_MS = 3_000
/** For the last words of a line that has ended: they come through a pipe, which another process may hold open. */
const LAST_WORDS_MS = 100

async function drained({ stdout, stderr }: ChildProcess): Promise<void> {
  const ends = [stdout, stderr].map(
    stream => new Promise(resolve => (stream?.readableEnded === false ? stream.once('end', resolve) : resolve(0))),
  )
  await Promise.race([Promise.all(ends), pause(LAST_WORDS_MS)])
}

function linesOf(onLine: ((line: string) => void) | undefined): { add: (chunk: string) => void; flush: () => void } {
  let rest = ''
  return {
    add: chunk => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) onLine?.(line)
    },
    flush: () => {
      if (rest !== '') onLine?.(rest)
      rest = ''
    },
  }
}

/** Runs a line to its end, and returns its exit code; null when it took longer, and was ended. */
export async function runLine(
  line: string,
  { timeoutMs, signal, ...options }: ShellOptions & { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<number | null> {
  await using shell = new ShellLine(line, options)
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  const isOver = new Promise<null>(resolve => {
    limit.addEventListener('abort', () => resolve(null), { once: true })
    if (limit.aborted) resolve(null)
  })
  const end = await Promise.race([shell.ended, isOver])
  return end?.exitCode ?? null
}
