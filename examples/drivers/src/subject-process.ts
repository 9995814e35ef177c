/**
 * A subject in a process of its own, as the matrix sees it: what it began, how that ended, and how the process itself did.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Attempt, End } from './measure.ts'
import { now, type FromSubject, type Target, type ToSubject, type Work } from './protocol.ts'
import type { SubjectSpec, Variant } from './subject.ts'

const CHILD = fileURLToPath(new URL('child.js', import.meta.url))

/** Of who started the matrix, and of no subject: libpq's variables would lead it elsewhere. */
const isForSubjects = ([name]: [string, unknown]): boolean => !/^(PG|npm_)/i.test(name)

export class SubjectProcess implements AsyncDisposable {
  readonly spec: SubjectSpec
  readonly variant: Variant
  readonly #child: ChildProcess
  readonly #attempts = new Map<number | string, Attempt>()
  readonly #gone: Promise<void>
  #isLoaded = false
  #isFilled = false
  #isKilled = false
  #acknowledged = 0
  #rssBytes = 0
  #lastError: string | undefined
  #exit: { readonly code: number | null; readonly at: number } | undefined

  constructor(spec: SubjectSpec, variant: Variant) {
    this.spec = spec
    this.variant = variant
    const env = { ...Object.fromEntries(Object.entries(process.env).filter(isForSubjects)), PGAPPNAME: this.name }
    this.#child = fork(CHILD, [spec.module, variant], {
      ...{ env, execArgv: [] }, // what loads the matrix's own TypeScript is nothing to it
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.#child.on('message', (message: FromSubject) => this.#take(message))
    // What node prints when it ends a process; the last words count where it could not say them otherwise.
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      const said = /^\w*Error.*$/m.exec(text)?.[0]
      if (said !== undefined) this.#lastError ??= said.slice(0, 120)
    })
    this.#gone = new Promise(resolve => {
      this.#child.once('error', error => {
        this.#lastError ??= error.message
        resolve()
      })
      this.#child.once('exit', code => {
        this.#exit = { code, at: now() }
        resolve()
      })
    })
  }

  /** Its application_name, too: by that its sessions are counted. */
  get name(): string {
    return `${this.spec.id}/${this.variant}`
  }

  /** `drivers_pg_query_mended` */
  get table(): string {
    return `drivers_${this.name.replaceAll(/\W/g, '_')}`
  }

  get isLoaded(): boolean {
    return this.#isLoaded
  }

  get isFilled(): boolean {
    return this.#isFilled
  }

  get isGone(): boolean {
    return this.#exit !== undefined
  }

  get acknowledged(): number {
    return this.#acknowledged
  }

  get attempts(): readonly Attempt[] {
    return [...this.#attempts.values()]
  }

  get rssBytes(): number {
    return this.#rssBytes
  }

  /** What it said last when it failed; for one that never came to work. */
  get lastError(): string | undefined {
    return this.#lastError ?? this.attempts.findLast(({ error }) => error !== undefined)?.error
  }

  /** How it is. */
  get end(): End {
    if (this.#exit === undefined) return { kind: 'lives' }
    const { code, at } = this.#exit
    return { kind: 'crashed', by: this.#lastError ?? 'it said nothing', exitCode: code, at }
  }

  go(options: { readonly target: Target; readonly work: Work; readonly ratePerSecond: number }): void {
    this.#send({ kind: 'go', ...options })
  }

  /** Has it open as many connections as it may. */
  fill(): void {
    this.#send({ kind: 'fill', connections: this.spec.connections })
  }

  /** A notification that it should hear. */
  expect(id: string): void {
    this.#attempts.set(id, { id, begunAt: now() })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isKilled = true
    if (this.#exit === undefined) this.#child.kill('SIGKILL')
    await this.#gone
  }

  #send(message: ToSubject): void {
    // One that has ended meanwhile is told by its exit.
    if (this.#child.connected) this.#child.send(message, () => undefined)
  }

  #take(message: FromSubject): void {
    if (this.#isKilled) return
    switch (message.kind) {
      case 'loaded':
        this.#isLoaded = true
        break
      case 'filled':
        this.#isFilled = true
        break
      case 'begun':
        this.#attempts.set(message.attempt, { id: message.id, begunAt: message.at })
        break
      case 'settled':
        this.#settle(message.attempt, message)
        break
      case 'heard':
        this.#settle(message.id, message)
        break
      case 'memory':
        this.#rssBytes = message.rssBytes
        break
      case 'dies':
        this.#lastError = message.error
        break
    }
  }

  #settle(key: number | string, { at, error }: { readonly at: number; readonly error?: string }): void {
    const attempt = this.#attempts.get(key)
    if (attempt === undefined) return
    this.#attempts.set(key, { ...attempt, settledAt: at, ...(error === undefined ? {} : { error }) })
    if (error === undefined) this.#acknowledged++
  }
}
