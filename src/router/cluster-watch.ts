/**
 * All hosts, watched at once: who is the primary, and since when; which standbys may answer reads.
 */
import { EventEmitter } from 'node:events'
import type { HostAddress } from './client.ts'
import { choosePrimary, type Known } from './choose.ts'
import { RouterError } from './errors.ts'
import { Host, type WatchOptions } from './host.ts'
import type { PrimaryLook, StandbyLook } from './look.ts'
import { lagOf, unfitness, withMark, type Lag, type Mark, type ReadLimits } from './standbys.ts'
import type { Lineage } from './lineage.ts'

export interface Primary {
  readonly host: Host
  readonly look: PrimaryLook
}

/** A standby, and why it answers no reads, if so. */
export interface Standby {
  readonly host: Host
  readonly look: StandbyLook
  readonly lag: Lag
  readonly unfit: string | undefined
}

export interface ClusterWatchOptions extends Pick<WatchOptions, 'silenceMs'> {
  readonly checkEveryMs: number
  readonly limits: ReadLimits
}

interface Events {
  /** Another server is the primary, or another run of it. */
  primary: [now: Primary, before: Primary | undefined]
  /** There is none; why. */
  lost: [why: string]
  /** A look at a host. */
  look: [host: Host]
}

/** Between two looks while no primary is known. */
const HURRY_MS = 10

export class ClusterWatch extends EventEmitter<Events> {
  readonly hosts: readonly Host[]
  readonly #options: ClusterWatchOptions
  #known: Known = { system: undefined, timeline: 0, started: undefined }
  #primary: Primary | undefined
  #why = 'not every host was asked yet'
  readonly #asked = new Set<Host>()
  /** A look that was asked before this says nothing: something has gone wrong since. */
  #doubtedAt = -Infinity
  #marks: readonly Mark[] = []
  #lineage: Lineage | undefined
  #isEnded = false

  constructor(addresses: readonly HostAddress[], options: ClusterWatchOptions) {
    super()
    this.setMaxListeners(0) // each write that waits for a primary is one
    this.#options = options
    const { silenceMs } = options
    const nextLookMs = (): number => (this.primary === undefined ? HURRY_MS : options.checkEveryMs)
    const onLook = (host: Host): void => this.#consider(host)
    this.hosts = addresses.map(address => new Host(address, { silenceMs, nextLookMs, onLook }))
    for (const host of this.hosts) host.watch()
  }

  /** The one that is known to be it; undefined while that is in doubt. */
  get primary(): Primary | undefined {
    const primary = this.#primary
    return primary !== undefined && primary.look.askedAt >= this.#doubtedAt ? primary : undefined
  }

  /** Why there is none. */
  get why(): string {
    const unreachable = this.hosts.filter(({ look }) => look === undefined)
    return [this.#why, ...unreachable.map(({ name, silence }) => `${name}: ${silence}`)].join('; ')
  }

  /** Every standby that answers. */
  standbys(): Standby[] {
    const system = this.#known.system
    if (system === undefined) return []
    const known = { system, lineage: this.#lineage, marks: this.#marks }
    return this.hosts.flatMap(host => {
      if (host.look?.role !== 'standby') return []
      const { look } = host
      return [{ host, look, lag: lagOf(look, this.#marks), unfit: unfitness(look, known, this.#options.limits) }]
    })
  }

  /** Something has gone wrong that another primary would explain: no look from before counts, and all hosts are asked at once. */
  doubt(): void {
    this.#doubtedAt = performance.now()
    for (const host of this.hosts) host.hurry()
  }

  /** Waits for a primary, until an instant of performance.now(). @throws RouterError NO_PRIMARY, ENDED */
  async findPrimary(deadline: number): Promise<Primary> {
    const known = this.primary
    if (known !== undefined) return known
    for (const host of this.hosts) host.hurry()
    return await new Promise<Primary>((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer)
        this.off('look', onLook)
      }
      const onLook = (): void => {
        const { primary } = this
        if (primary === undefined && !this.#isEnded) return
        settle()
        if (primary === undefined) reject(ended())
        else resolve(primary)
      }
      const timer = setTimeout(
        () => {
          settle()
          reject(noPrimary(this.why))
        },
        Math.max(0, deadline - performance.now()),
      )
      this.on('look', onLook)
      onLook()
    })
  }

  async end(): Promise<void> {
    this.#isEnded = true
    const [first] = this.hosts
    if (first !== undefined) this.emit('look', first)
    await Promise.all(this.hosts.map(async host => await host.end()))
  }

  #consider(host: Host): void {
    this.#asked.add(host)
    // At first, whoever says that it is the primary may be one of two.
    if (this.#asked.size === this.hosts.length) this.#choose()
    this.emit('look', host)
  }

  #choose(): void {
    const choice = choosePrimary(this.hosts, this.#known)
    const before = this.#primary
    if (choice.found === undefined) {
      this.#why = choice.why
      this.#primary = undefined
      if (before !== undefined) this.emit('lost', choice.why)
    } else {
      this.#take({ host: choice.found, look: choice.look }, before)
    }
  }

  #take(now: Primary, before: Primary | undefined): void {
    const { system, timeline, started, flushLsn, seenAt } = now.look
    const isAnother = this.#known.started !== started || this.#known.timeline !== timeline
    this.#primary = now
    this.#known = { system, timeline, started }
    // What the former primary had past the fork, no standby will ever have.
    const kept = isAnother ? this.#marks.filter(({ lsn }) => lsn <= (now.look.recoveredLsn ?? 0n)) : this.#marks
    this.#marks = withMark(kept, { lsn: flushLsn, at: seenAt })
    if (isAnother) {
      this.#lineage = undefined
      void now.host.lineage().then(lineage => {
        if (this.#known.started === started && this.#known.timeline === timeline) this.#lineage = lineage
      })
    }
    if (isAnother || before === undefined) this.emit('primary', now, before)
  }
}

const noPrimary = (why: string): RouterError =>
  new RouterError('NO_PRIMARY', `no primary was found in time: ${why}`, {
    hint: 'Nothing was sent. Are all hosts of the cluster given, and does findTimeoutMs allow for a failover?',
  })

export const ended = (): RouterError => new RouterError('ENDED', 'the router has been ended')
