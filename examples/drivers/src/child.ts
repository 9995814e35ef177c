/**
 * The process of one subject: `node child.js MODULE VARIANT`. It says what it begins and how that ends, and judges nothing.
 */
import { errorLabel } from './error-label.ts'
import { CHANNEL, now, type FromSubject, type Target, type ToSubject, type Work } from './protocol.ts'
import type { Open, Subject, Variant } from './subject.ts'

/** So many requests may be under way at once: more than any pool here has connections. */
const MOST_IN_FLIGHT = 24
const FILL_SECONDS = 0.3
const TRANSACTION_SECONDS = 0.3
const BUSY_SECONDS = 0.5
const MEMORY_EVERY_MS = 500
const OPEN_AGAIN_MS = 500

const tell = (message: FromSubject): void => void process.send?.(message)

async function main(module: string, variant: Variant): Promise<void> {
  // Node still ends the process: this only listens to the reason.
  process.on('uncaughtExceptionMonitor', error => tell({ kind: 'dies', error: errorLabel(error) }))
  process.once('disconnect', () => process.exit(0))
  const { openDefault, openMended } = (await import(`./subjects/${module}.js`)) as Record<
    'openDefault' | 'openMended',
    Open
  >
  const open = variant === 'default' ? openDefault : openMended
  let subject: Subject | undefined
  process.on('message', (message: ToSubject) => {
    if (message.kind === 'fill') void fill(subject, message.connections)
    else void openAtLast(open, message).then(opened => (subject = opened))
  })
  setInterval(() => tell({ kind: 'memory', rssBytes: process.memoryUsage.rss() }), MEMORY_EVERY_MS)
  tell({ kind: 'loaded' })
}

interface Go {
  readonly target: Target
  readonly work: Work
  readonly ratePerSecond: number
}

/** An application that cannot open its database at its start tries again, here as in most orchestrators. */
async function openAtLast(open: Open, go: Go): Promise<Subject> {
  const loop = new Loop(go)
  for (;;) {
    const attempt = loop.begin('open')
    try {
      const subject = await open(go.target)
      await loop.start(subject)
      loop.settle(attempt)
      return subject
    } catch (error) {
      loop.settle(attempt, error)
      // A cadence between two attempts: nothing tells an application that its database is there.
      await new Promise(resolve => void setTimeout(() => resolve(undefined), OPEN_AGAIN_MS))
    }
  }
}

async function fill(subject: Subject | undefined, connections: number): Promise<void> {
  const all = Array.from(
    { length: connections },
    async (_, index) => await subject?.write?.(`fill-${index}`, FILL_SECONDS),
  )
  await Promise.allSettled(all)
  tell({ kind: 'filled' })
}

/** One request is due every so often, whether or not earlier ones came back; what failed is sent again with its id. */
class Loop {
  readonly #go: Go
  readonly #again: string[] = []
  #attempts = 0
  #ids = 0
  #inFlight = 0
  #mostInFlight = MOST_IN_FLIGHT

  constructor(go: Go) {
    this.#go = go
  }

  async start(subject: Subject): Promise<void> {
    const { work, ratePerSecond } = this.#go
    const heard = (id: string): void => tell({ kind: 'heard', id, at: now() })
    if (work === 'listen') {
      await subject.listen?.(CHANNEL, heard)
      return
    }
    const send = sender(subject, work)
    const rate = work === 'busy' ? MOST_IN_FLIGHT / BUSY_SECONDS : ratePerSecond
    if (work === 'transaction' && subject.isOneAtATime === true) this.#mostInFlight = 1
    setInterval(() => void this.#next(send), 1000 / rate)
  }

  begin(id: string): number {
    tell({ kind: 'begun', attempt: ++this.#attempts, id, at: now() })
    return this.#attempts
  }

  settle(attempt: number, error?: unknown): void {
    tell({ kind: 'settled', attempt, at: now(), ...(error === undefined ? {} : { error: errorLabel(error) }) })
  }

  async #next(send: (id: string) => Promise<unknown>): Promise<void> {
    if (this.#inFlight >= this.#mostInFlight) return
    const id = this.#again.shift() ?? String(++this.#ids)
    const attempt = this.begin(id)
    this.#inFlight++
    try {
      await send(id)
      this.settle(attempt)
    } catch (error) {
      this.settle(attempt, error)
      this.#again.push(id)
    } finally {
      this.#inFlight--
    }
  }
}

function sender(
  { write, transaction, read }: Subject,
  work: Exclude<Work, 'listen'>,
): (id: string) => Promise<unknown> {
  const missing = async (): Promise<never> => Promise.reject(new Error(`it does not ${work}`))
  switch (work) {
    case 'write':
      return async id => (write ?? missing)(id, 0)
    case 'busy':
      return async id => (write ?? missing)(id, BUSY_SECONDS)
    case 'transaction':
      return async id => (transaction ?? missing)(id, TRANSACTION_SECONDS)
    case 'read':
      return async () => (read ?? missing)()
  }
}

const [module = '', variant = 'default'] = process.argv.slice(2)
await main(module, variant as Variant)
