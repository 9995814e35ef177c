/**
 * What a run shows in a few sentences, each with those whom it concerns. Pure.
 */
import type { Cell, DocumentedSubject, DriversDocument } from './document.ts'
import type { Variant } from './subject.ts'
import { titleOf } from './tables.ts'

export interface Finding {
  readonly fact: string
  /** Subjects; with the number of trials, where it was not in all of them. */
  readonly who: readonly string[]
}

interface Fact {
  readonly fact: string
  readonly variant: Variant
  readonly situations: readonly string[]
  /** In how many of its trials it was so; a spread says no more than that it was in some. */
  readonly count: (cell: Cell) => number | 'some'
}

const sum = (counts: Cell['crashed']): number => Object.values(counts ?? {}).reduce<number>((all, n = 0) => all + n, 0)
const stuck = ({ states }: Cell): number => states.stuck ?? 0
const positive = (spread: Cell['duplicates'], n: number): number | 'some' =>
  spread === undefined || spread.max === 0 ? 0 : spread.min > 0 && spread.n === n ? n : 'some'

const FACTS: readonly Fact[] = [
  {
    fact: 'With its defaults the process ends when the primary is stopped',
    variant: 'default',
    situations: ['stop'],
    count: ({ crashed }) => sum(crashed),
  },
  {
    fact: 'With its defaults it is stuck when the primary freezes, also after the failover',
    variant: 'default',
    situations: ['freeze'],
    count: stuck,
  },
  {
    fact: 'With its defaults it keeps a session with the former primary, a standby now, when the address has moved',
    variant: 'default',
    situations: ['late'],
    count: ({ oldConnections, n }) => positive(oldConnections, n),
  },
  {
    fact: 'With its defaults it hears nothing more after a black hole, and is told nothing',
    variant: 'default',
    situations: ['black-hole-listen'],
    count: stuck,
  },
  {
    fact: 'Mended, it writes twice what it sends again after it was left without an answer',
    variant: 'mended',
    situations: ['black-hole'],
    count: ({ duplicates, n }) => positive(duplicates, n),
  },
  {
    fact: 'Mended, it is stuck, or ends, in a situation in which the address moves',
    variant: 'mended',
    situations: [
      'stop',
      'reset',
      'freeze',
      'black-hole',
      'black-hole-transaction',
      'black-hole-busy',
      'black-hole-listen',
      'switchover',
      'late',
      'start-up',
    ],
    count: cell => stuck(cell) + sum(cell.crashed),
  },
  {
    fact: 'Some of its reads go on failing while one of two standbys is down, mended or not',
    variant: 'mended',
    situations: ['standby-stop'],
    count: ({ states }) => (states.partly ?? 0) + (states.stuck ?? 0),
  },
]

/** Those of the situations that were run. */
export function findingsOf({ cells, subjects }: DriversDocument): Finding[] {
  return FACTS.flatMap(({ fact, variant, situations, count }) => {
    const concerned = cells.filter(
      cell => cell.variant === variant && situations.includes(cell.situation) && cell.n > 0,
    )
    if (concerned.length === 0) return []
    const found = concerned.filter(cell => count(cell) !== 0)
    const where = (cell: Cell): string => (situations.length === 1 ? '' : `${cell.situation}, `)
    return [{ fact, who: found.map(cell => named(subjects, cell, `${where(cell)}${count(cell)} of ${cell.n}`)) }]
  })
}

const named = (subjects: readonly DocumentedSubject[], cell: Cell, where: string): string => {
  const isAlways = where === `${cell.n} of ${cell.n}`
  return isAlways ? titleOf(subjects, cell) : `${titleOf(subjects, cell)} (${where})`
}
