/**
 * Work that several callers want at the same time: done once, and each waits for it with its own signal.
 */
import { interruptionBy, throwIfInterrupted } from './errors.ts'

interface Running<T> {
  readonly result: Promise<T>
  readonly end: AbortController
  waiting: number
}

/** Starts `work` for the first who asks; whoever asks meanwhile waits for the same. Whoever asks when it is done starts it anew. */
export class Shared<T> {
  readonly #work: (signal: AbortSignal) => Promise<T>
  #running: Running<T> | undefined

  /** `work` gets a signal which fires when nobody waits for it any more: no caller's own. */
  constructor(work: (signal: AbortSignal) => Promise<T>) {
    this.#work = work
  }

  /** @throws what the work throws; LabError INTERRUPTED when `signal` fires, and the work goes on for the others */
  async join(signal?: AbortSignal): Promise<T> {
    throwIfInterrupted(signal)
    const running = (this.#running ??= this.#start())
    running.waiting++
    try {
      return await unlessInterrupted(running.result, signal)
    } finally {
      running.waiting--
      if (running.waiting === 0) this.#leave(running)
    }
  }

  #start(): Running<T> {
    const end = new AbortController()
    const running: Running<T> = { result: this.#work(end.signal), end, waiting: 0 }
    const done = (): void => this.#forget(running)
    running.result.then(done, done)
    return running
  }

  /** What is being given up is no answer for the next who asks. */
  #leave(running: Running<T>): void {
    this.#forget(running)
    running.end.abort()
  }

  #forget(running: Running<T>): void {
    if (this.#running === running) this.#running = undefined
  }
}

/** Waits for `promise`, but not longer than until the signal fires; what it stands for goes on. @throws LabError INTERRUPTED */
export async function unlessInterrupted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise
  let leave = (): void => undefined
  const interruption = new Promise<never>((_, reject) => (leave = () => reject(interruptionBy(signal))))
  signal.addEventListener('abort', leave, { once: true })
  if (signal.aborted) leave()
  try {
    return await Promise.race([promise, interruption])
  } finally {
    signal.removeEventListener('abort', leave)
  }
}
