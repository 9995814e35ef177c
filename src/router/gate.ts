/**
 * Writes wait before it while it is closed, and it knows how many are past it: a switchover closes it, waits until the last one
 * has its answer, and opens it when there is a primary again.
 */
export class Gate {
  #isClosed = false
  #inFlight = 0
  readonly #waiting = new Set<() => void>()
  readonly #drained = new Set<() => void>()

  get isClosed(): boolean {
    return this.#isClosed
  }

  get inFlight(): number {
    return this.#inFlight
  }

  /** Those that wait. */
  get waiting(): number {
    return this.#waiting.size
  }

  close(): void {
    this.#isClosed = true
  }

  open(): void {
    this.#isClosed = false
    for (const pass of this.#waiting) pass()
    this.#waiting.clear()
  }

  /** Waits while it is closed. */
  async pass(): Promise<void> {
    while (this.#isClosed) await new Promise<void>(resolve => this.#waiting.add(resolve))
  }

  /** Something is past it, until {@link leave}. */
  enter(): void {
    this.#inFlight++
  }

  leave(): void {
    this.#inFlight--
    if (this.#inFlight > 0) return
    for (const resolve of this.#drained) resolve()
    this.#drained.clear()
  }

  /** Whether nothing is past it any more, within the limit. */
  async drained(limitMs: number): Promise<boolean> {
    if (this.#inFlight === 0) return true
    return await new Promise<boolean>(resolve => {
      const done = (): void => {
        clearTimeout(timer)
        resolve(true)
      }
      const timer = setTimeout(() => {
        this.#drained.delete(done)
        resolve(false)
      }, limitMs)
      this.#drained.add(done)
    })
  }
}
