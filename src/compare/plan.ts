/**
 * What is compared: ways to the primary, what befalls it, and the timers. A cell is one of each. Pure.
 */
import { stackEvents, type StackEvent } from '../stack/events.ts'
import { stackSettings, type StackSetting } from '../stack/settings.ts'
import { stackWays } from '../stack/ways.ts'

/** `lab`: the lab's scripted failover; `patient`: as `hosts`, without a deadline for an answer. The others are Patroni's. */
export const compareWays = ['lab', ...stackWays, 'patient'] as const
export type CompareWay = (typeof compareWays)[number]

/** What each way is, in a sentence. */
export const wayMeanings: Readonly<Record<CompareWay, string>> = {
  lab: "the lab's own procedures, begun at once; the client asks each node for its role",
  hosts: 'Patroni; the client asks each node for its role, as target_session_attrs=read-write does',
  haproxy: 'Patroni, and HAProxy in front of it',
  pgbouncer: 'Patroni, and PgBouncer in front of HAProxy',
  router: "Patroni, and the lab's router in the client",
  patient: 'as hosts, by a client that has no deadline for an answer: the default of libpq and of node-postgres',
}

/** `none`: the lab has no timers to tune. */
export type CompareSetting = StackSetting | 'none'

export interface Cell {
  readonly way: CompareWay
  readonly event: StackEvent
  readonly setting: CompareSetting
}

/** Trials that are made at once: every way of Patroni sees the same event of the same cluster. */
export interface Round {
  readonly event: StackEvent
  readonly setting: CompareSetting
  readonly ways: readonly CompareWay[]
}

export const compareWords = [...compareWays, ...stackEvents, ...stackSettings] as const
export type CompareWord = (typeof compareWords)[number]

/** Nobody of the lab waits for etcd, and nothing of it decides by itself: there is nothing to see. */
const NOT_OF_THE_LAB: readonly StackEvent[] = ['etcd', 'spike']

/** In the order in which they are made: the lab's own first, then one setting after the other. Words of a kind limit that kind. */
export function roundsOf(only: readonly CompareWord[]): readonly Round[] {
  const among = <T extends CompareWord>(words: readonly T[]): readonly T[] => {
    const chosen = words.filter(word => only.includes(word))
    return chosen.length === 0 ? words : chosen
  }
  const [ways, events] = [among(compareWays), among(stackEvents)]
  const lab = ways.includes('lab') ? events.filter(event => !NOT_OF_THE_LAB.includes(event)) : []
  const managed = (event: StackEvent): CompareWay[] =>
    ways.filter(way => way !== 'lab' && (way !== 'patient' || event === 'freeze'))
  return [
    ...lab.map((event): Round => ({ event, setting: 'none', ways: ['lab'] })),
    ...among(stackSettings).flatMap(setting =>
      events.map((event): Round => ({ event, setting, ways: managed(event) })).filter(round => round.ways.length > 0),
    ),
  ]
}

export const cellsOf = (rounds: readonly Round[]): readonly Cell[] =>
  rounds.flatMap(({ event, setting, ways }) => ways.map(way => ({ way, event, setting })))

export const isCell =
  (cell: Cell) =>
  (other: Cell): boolean =>
    cell.way === other.way && cell.event === other.event && cell.setting === other.setting
