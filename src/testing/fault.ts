/**
 * A fault as a scope: in effect when the call returns, healed when the scope ends.
 */

/**
 * `await using _ = await cluster.freeze()`, or `const fault = await cluster.freeze()` and later `await fault.heal()`, where
 * `await using` cannot be parsed.
 * @example
 * ```ts
 * const frozen: Fault = await (await startCluster()).freeze('replica1')
 * await frozen.heal()
 * ```
 */
export class Fault implements AsyncDisposable {
  readonly #healing: AsyncDisposable

  constructor(healing: AsyncDisposable) {
    this.#healing = healing
  }

  /** Ends it. Idempotent. */
  async heal(): Promise<void> {
    await this.#healing[Symbol.asyncDispose]()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.heal()
  }
}
