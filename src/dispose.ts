/**
 * Node 20 has `await using` (through TypeScript) but no AsyncDisposableStack, so this is the small part of it the lab needs.
 */

type Release = () => PromiseLike<void> | void

/** Releases what was acquired, last in first out; every release runs, and the first error is the one thrown. */
export class Disposer implements AsyncDisposable {
  #releases: Release[] = []
  #disposing: Promise<void> | undefined
  #isDisposed = false

  /** Registers a release. During a disposal it still runs, and the disposal waits for it; after one, it runs at once. */
  defer(release: Release): void {
    this.#releases.push(release)
    if (this.#isDisposed) this.#disposing = this.#releaseAll()
  }

  /** Registers a resource and returns it. */
  use<T extends AsyncDisposable>(resource: T): T {
    this.defer(() => resource[Symbol.asyncDispose]())
    return resource
  }

  /** Releases everything. Idempotent: a second call waits for the first. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposing ??= this.#releaseAll()
    await this.#disposing
  }

  async #releaseAll(): Promise<void> {
    const errors: unknown[] = []
    for (let release = this.#releases.pop(); release !== undefined; release = this.#releases.pop()) {
      try {
        await release()
      } catch (error) {
        errors.push(error)
      }
    }
    this.#isDisposed = true
    if (errors.length > 0) throw errors[0]
  }
}

/** A disposal which happens once: a second one waits for the first. */
export function once(dispose: () => Promise<void>): AsyncDisposable {
  let disposed: Promise<void> | undefined
  return { [Symbol.asyncDispose]: () => (disposed ??= dispose()) }
}

/** What `make` has registered, to be released together; and at once when it fails half way. */
export async function collected(make: (resources: Disposer) => Promise<void>): Promise<AsyncDisposable> {
  const resources = new Disposer()
  return await undoable(
    () => make(resources),
    () => resources[Symbol.asyncDispose](),
  )
}

/** Does it, until what this returns is disposed of: then it is undone, once; and at once when doing it fails half way. */
export async function undoable(make: () => Promise<unknown>, undo: () => Promise<void>): Promise<AsyncDisposable> {
  const disposable = once(undo)
  try {
    await make()
  } catch (error) {
    await disposable[Symbol.asyncDispose]()
    throw error
  }
  return disposable
}
