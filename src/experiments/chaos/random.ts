/**
 * Chance that can be had again: what is drawn depends on a seed and on what it is for, and on nothing else. Pure.
 */

/** Draws one after another, of one stream. */
export interface Draws {
  /** From 0 up to 1. */
  readonly random: () => number
  /** A whole number, both ends included. */
  readonly between: (from: number, to: number) => number
  readonly oneOf: <T>(words: readonly [T, ...T[]]) => T
}

/** Of a stream that is `of`'s own: the number of a round, or a negative one for what goes over several. */
export function drawsOf(seed: number, of: number): Draws {
  const random = randomOf(seed, of)
  const between = (from: number, to: number): number => from + Math.floor(random() * (to - from + 1))
  const oneOf = <T>(words: readonly [T, ...T[]]): T => words[between(0, words.length - 1)] ?? words[0]
  return { random, between, oneOf }
}

/** In another order. */
export function shuffled<T>(words: readonly T[], { random }: Draws): T[] {
  const deck = [...words]
  for (let last = deck.length - 1; last > 0; last--) {
    const at = Math.floor(random() * (last + 1))
    ;[deck[last], deck[at]] = [deck[at] as T, deck[last] as T]
  }
  return deck
}

/** By mulberry32 (Tommy Ettinger, public domain). */
function randomOf(seed: number, of: number): () => number {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(of, 0xc2b2ae35)
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  next()
  return next
}
