/**
 * One direction of a connection through a link: bytes go from one socket to another, unchanged and in order, when and as
 * fast as the link lets them.
 */
import type { Socket } from 'node:net'

/** How bytes travel in one direction of a link, over all its connections. */
export interface Passage {
  readonly isStalled: boolean
  /** Each byte arrives so much later. */
  readonly latencyMs: number
  /** Infinity: as fast as this machine is. */
  readonly bytesPerSecond: number
  /** Until when the line is taken by what was sent before; an instant of performance.now(). */
  busyUntil: number
}

/** How one end of a connection is let go: `end` in order (FIN), `reset` without (RST). */
type Parcel = { readonly at: number } & (
  { readonly kind: 'bytes'; bytes: Buffer } | { readonly kind: 'end' } | { readonly kind: 'reset' }
)

/** With a latency the line itself holds bytes; past so many its sender waits, as for a full TCP window. */
const MOST_ON_THE_LINE = 1024 * 1024
/** A slow line is entered in pieces of this duration, so that its pace is even. */
const PIECE_MS = 20
/** A timer may be so late; the line makes up for it, and for no more. */
const TIMER_SLACK_MS = 50

export class Flow {
  readonly #from: Socket
  readonly #to: Socket
  readonly #passage: () => Passage
  readonly #parcels: Parcel[] = []
  #bytesOnTheLine = 0
  #timer: NodeJS.Timeout | undefined

  constructor(from: Socket, to: Socket, passage: () => Passage) {
    this.#from = from
    this.#to = to
    this.#passage = passage
    let hasEnded = false
    from.on('data', (bytes: Buffer) => this.#take({ kind: 'bytes', bytes, at: performance.now() }))
    from.once('end', () => {
      hasEnded = true
      this.#take({ kind: 'end', at: performance.now() })
    })
    from.once('close', () => {
      if (!hasEnded || !from.writableFinished) this.#take({ kind: 'reset', at: performance.now() })
    })
    to.on('drain', () => this.pump())
    to.once('close', () => clearTimeout(this.#timer))
  }

  #take(parcel: Parcel): void {
    this.#parcels.push(parcel)
    if (parcel.kind === 'bytes') this.#bytesOnTheLine += parcel.bytes.length
    this.pump()
  }

  /** Delivers what is due. To be called whenever the passage has changed. */
  pump(): void {
    clearTimeout(this.#timer)
    for (let next = this.#parcels[0]; next !== undefined && !this.#isHeldUp(); next = this.#parcels[0]) {
      const { dueAt, size } = this.#due(next)
      const inMs = dueAt - performance.now()
      if (inMs > 0) {
        // Not a wait for anything: to be late by so much is what a slow link is.
        this.#timer = setTimeout(() => this.pump(), inMs)
        break
      }
      const passage = this.#passage()
      passage.busyUntil = Math.max(passage.busyUntil, dueAt, performance.now() - TIMER_SLACK_MS)
      this.#deliver(next, size)
    }
    // A receiver that does not keep up, or a line that holds all it can, must be felt by the sender.
    if (this.#isHeldUp() || this.#bytesOnTheLine >= MOST_ON_THE_LINE) this.#from.pause()
    else this.#from.resume()
  }

  #isHeldUp(): boolean {
    return this.#passage().isStalled || this.#to.writableNeedDrain
  }

  /** When the next piece of the parcel has wholly arrived, and how many bytes it has. */
  #due(parcel: Parcel): { readonly dueAt: number; readonly size: number } {
    const { latencyMs, bytesPerSecond, busyUntil } = this.#passage()
    const arrivesAt = parcel.at + latencyMs
    if (parcel.kind !== 'bytes') return { dueAt: arrivesAt, size: 0 }
    if (bytesPerSecond === Infinity) return { dueAt: arrivesAt, size: parcel.bytes.length }
    const size = Math.min(parcel.bytes.length, Math.max(1, Math.floor((bytesPerSecond * PIECE_MS) / 1000)))
    return { dueAt: Math.max(arrivesAt, busyUntil) + (size * 1000) / bytesPerSecond, size }
  }

  #deliver(parcel: Parcel, size: number): void {
    if (parcel.kind === 'bytes') {
      this.#to.write(parcel.bytes.subarray(0, size))
      this.#bytesOnTheLine -= size
      parcel.bytes = parcel.bytes.subarray(size)
      if (parcel.bytes.length > 0) return
    } else if (parcel.kind === 'end') this.#to.end()
    else reset(this.#to)
    this.#parcels.shift()
  }
}

/** Ends a connection without a goodbye; one that is still being made is given up. */
export function reset(socket: Socket): void {
  if (socket.connecting || socket.destroyed) socket.destroy()
  else socket.resetAndDestroy()
}
