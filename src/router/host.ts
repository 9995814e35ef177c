/**
 * One server, watched: a connection of its own over which it is asked again and again, at once when that connection ends.
 */
import type pg from 'pg'
import { messageOf } from '../errors.ts'
import { Shared } from '../shared.ts'
import { pause } from '../wait.ts'
import { answered, close, destroy, open, type HostAddress } from './client.ts'
import { readLineage } from './history.ts'
import { firstLineage, promoted, type Lineage, type Place } from './lineage.ts'
import { QUESTION, readLook, type Look, type LookRow } from './look.ts'

export interface WatchOptions {
  /** How long a server may be silent, in milliseconds. */
  readonly silenceMs: number
  /** Until the next look, in milliseconds; asked before each. */
  readonly nextLookMs: () => number
  /** After each look, and each one that failed. */
  readonly onLook: (host: Host) => void
}

/** A server that did not tell its history is asked again after this. */
const ASK_AGAIN_MS = 5_000

export class Host {
  readonly name: string
  readonly address: HostAddress
  readonly #options: WatchOptions
  readonly #config: pg.ClientConfig
  readonly #end = new AbortController()
  readonly #looking = new Shared(() => this.#look())
  #nudge = new AbortController()
  #session: pg.Client | undefined
  #watching: Promise<void> | undefined
  #look_: Look | undefined
  #silence = 'it was not asked yet'
  #lineage: { readonly of: string; readonly lineage: Lineage } | undefined
  readonly #asking = new Shared(() => this.#readLineage())
  #isRefused = false
  #askedAt = -Infinity
  #latencyMs = Infinity

  constructor(address: HostAddress, options: WatchOptions) {
    this.name = address.name
    this.address = address
    this.#options = options
    this.#config = { ...address.monitor, application_name: 'pg-failover-lab router' }
  }

  /** What it said last; undefined while it does not answer. */
  get look(): Look | undefined {
    return this.#look_
  }

  /** Why it does not answer. */
  get silence(): string {
    return this.#silence
  }

  /** How long it takes to answer, in milliseconds: a moving average. */
  get latencyMs(): number {
    return this.#latencyMs
  }

  /** Begins. */
  watch(): void {
    this.#watching ??= this.#watch()
  }

  /** Asks now; several who want that share one question. */
  async lookNow(): Promise<Look | undefined> {
    await this.#looking.join()
    return this.#look_
  }

  /** Lets the next look come at once. */
  hurry(): void {
    this.#nudge.abort()
  }

  async end(): Promise<void> {
    this.#end.abort()
    await this.#watching
    if (this.#session !== undefined) await close(this.#session)
  }

  /** The history of the timeline that it is on, or receives; undefined where that cannot be seen. */
  async lineage(): Promise<Lineage | undefined> {
    const look = this.#look_
    if (look?.timeline === undefined) return undefined
    if (look.timeline === 1) return firstLineage
    const of = runOf(look)
    const known = this.#lineage?.of === of ? this.#lineage.lineage : undefined
    if (known?.isComplete === true || this.#isRefused || performance.now() - this.#askedAt < ASK_AGAIN_MS) return known
    await this.#asking.join()
    return this.#lineage?.of === of ? this.#lineage.lineage : undefined
  }

  /** Where it is in which history, to hold a position against. */
  async place(): Promise<Place | undefined> {
    const look = this.#look_
    const known = await this.lineage()
    if (look?.timeline === undefined) return undefined
    const unseen = { timeline: look.timeline, ended: [], isComplete: false }
    const lineage = known?.timeline === look.timeline ? known : unseen
    const lsn = look.role === 'primary' ? look.flushLsn : look.replayLsn
    return { system: look.system, started: look.started, lineage, lsn }
  }

  async #watch(): Promise<void> {
    do {
      await this.lookNow()
      this.#nudge = new AbortController()
      const either = AbortSignal.any([this.#nudge.signal, this.#end.signal])
      await pause(this.#options.nextLookMs(), either).catch(() => undefined)
    } while (!this.#end.signal.aborted)
  }

  async #look(): Promise<void> {
    const before = this.#look_
    try {
      const session = (this.#session ??= await this.#open())
      const askedAt = performance.now()
      const question = () => session.query<LookRow>({ text: QUESTION, name: 'look' })
      const { rows } = await answered(session, this.#options.silenceMs, question)
      const [row] = rows
      if (row === undefined) return
      const look = readLook(row, { askedAt, seenAt: performance.now() })
      this.#latencyMs = smoothed(this.#latencyMs, look.seenAt - askedAt)
      this.#look_ = keepingTimeline(look, before)
      this.#observe(before, this.#look_)
    } catch (error) {
      this.#silence = messageOf(error)
      this.#drop()
    }
    this.#options.onLook(this)
  }

  async #readLineage(): Promise<void> {
    const look = this.#look_
    if (look?.timeline === undefined) return
    const limits = { timeline: look.timeline, limitMs: this.#options.silenceMs }
    const read = await readLineage(this.#config, limits).catch(() => undefined)
    if (read === 'refused') this.#isRefused = true
    else if (read === undefined) this.#askedAt = performance.now()
    else this.#lineage = { of: runOf(look), lineage: read }
  }

  async #open(): Promise<pg.Client> {
    const session = await open(this.#config, this.#options.silenceMs)
    // A server that goes away says so by ending this: nobody has to wait for the next look.
    session.once('end', () => {
      if (this.#session !== session) return
      this.#drop()
      this.hurry()
    })
    return session
  }

  #drop(): void {
    if (this.#session !== undefined) destroy(this.#session)
    this.#session = undefined
    this.#look_ = undefined
  }

  /** Seen to be promoted, by the process that goes on: its timeline began where its recovery ended. */
  #observe(before: Look | undefined, now: Look): void {
    if (before?.role !== 'standby' || now.role !== 'primary' || now.started !== before.started) return
    if (now.recoveredLsn === undefined) return
    const lineage = this.#lineage?.of === runOf(before) ? this.#lineage.lineage : historyOf(before, now)
    this.#lineage = {
      of: runOf(now),
      lineage: promoted(lineage, { timeline: now.timeline, forkLsn: now.recoveredLsn }),
    }
  }
}

/** Before timeline 2 there was one only; before others, who knows. */
const historyOf = (standby: Look, { timeline }: Look): Lineage =>
  standby.timeline === 1 || timeline === 2
    ? firstLineage
    : { timeline: standby.timeline ?? 0, ended: [], isComplete: false }

/** A timeline of one run of one server has one history. */
const runOf = (look: Look): string => `${look.started} ${look.timeline}`

/** A standby whose WAL receiver does not run is still on the timeline that it received. */
function keepingTimeline(look: Look, before: Look | undefined): Look {
  if (look.role === 'primary' || look.timeline !== undefined || before?.role !== 'standby') return look
  return before.started === look.started ? { ...look, timeline: before.timeline } : look
}

const smoothed = (average: number, latest: number): number =>
  average === Infinity ? latest : average + (latest - average) / 8
