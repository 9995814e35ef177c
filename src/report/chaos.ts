/**
 * A soak, for people.
 */
import { spreadOf } from '../measure/statistics.ts'
import type { SynchronousWord } from '../postgres/synchronous.ts'
import type { ChaosRound, Soak } from '../experiments/chaos/soak.ts'
import { formatCount, formatMs } from './format.ts'
import type { Narrator } from './narrator.ts'

/** The `--json` document. */
export interface ChaosDocument {
  readonly version: 1
  readonly runtime: 'docker' | 'local'
  readonly seed: number
  /** Null when rounds were asked for. */
  readonly minutes: number | null
  readonly sync: SynchronousWord
  readonly load: { readonly ratePerSecond: number; readonly connections: number }
  readonly rounds: readonly ChaosRound[]
  readonly verdict: Soak['verdict']
}

/** What is told of a round, whoever manages the cluster. */
export type ToldRound = Pick<
  ChaosRound,
  'round' | 'what' | 'outageMs' | 'acknowledged' | 'lost' | 'verdict' | 'remark' | 'problems'
> & { readonly action: string }

/** Prints one line a round, as it is done. */
export const roundNarrator =
  (narrate: Narrator) =>
  ({ round, what, outageMs, lost, verdict, remark, problems }: ToldRound): void => {
    const outage = outageMs === null ? 'none' : formatMs(outageMs)
    const line = `${String(round).padStart(4)}  ${verdict.padEnd(10)}  outage ${outage.padStart(7)}  lost ${formatCount(lost).padStart(3)}  ${what}`
    if (verdict === 'failed') narrate.loss(line)
    else narrate.say(line)
    if (remark !== null) narrate.say(`      ${firstLine(remark)}`)
    for (const problem of problems) narrate.loss(`      ${problem}`)
  }

const firstLine = (text: string): string => text.split('\n')[0] ?? ''

/** What each action came to over all rounds, and the claim. */
export function narrateSoak(narrate: Narrator, { rounds, verdict, sync }: ChaosDocument): void {
  narrateActions(narrate, rounds)
  const [acknowledged, lost] = [sum(rounds, 'acknowledged'), sum(rounds, 'lost')]
  narrate.say('')
  narrate.say(`acknowledged ${formatCount(acknowledged)} · lost ${formatCount(lost)} · sync ${sync}`)
  narrate.say(claimOf(verdict, sync, rounds.filter(round => round.verdict === 'held').length))
  narrateUnproven(narrate, rounds)
}

/** A line for each action, in the order in which they came up. */
export function narrateActions(narrate: Narrator, rounds: readonly ToldRound[]): void {
  const actions = new Map<string, ToldRound[]>()
  for (const round of rounds) actions.set(round.action, [...(actions.get(round.action) ?? []), round])
  narrate.say('')
  narrate.table(
    ['action', 'times', 'outage', 'min', 'max', 'acknowledged', 'lost'],
    [...actions].map(([action, all]) => row(action, all)),
  )
}

/** The rounds that did not do what they were to do. */
export function narrateUnproven(narrate: Narrator, rounds: readonly ToldRound[]): void {
  for (const which of ['skipped', 'not-struck', 'interrupted'] as const) {
    const those = rounds.filter(round => round.verdict === which)
    if (those.length > 0)
      narrate.say(`${which} ${those.length}, which prove nothing: ${those.map(({ action }) => action).join(', ')}`)
  }
}

function claimOf(verdict: Soak['verdict'], sync: ChaosDocument['sync'], rounds: number): string {
  switch (verdict) {
    case 'held':
      return sync === 'off'
        ? `In ${rounds} ${rounds === 1 ? 'round' : 'rounds'} no two nodes acknowledged, and every lost write is in the record of the failover that lost it.`
        : `In ${rounds} ${rounds === 1 ? 'round' : 'rounds'} no two nodes acknowledged, and no acknowledged write was lost.`
    case 'failed':
      return 'The claim does not hold: see the last round.'
    case 'unknown':
      return 'No round came to its end, so nothing was put to the test.'
  }
}

function row(action: string, rounds: readonly ToldRound[]): (string | number)[] {
  const outages = rounds.flatMap(({ outageMs }) => (outageMs === null ? [] : [outageMs]))
  const spread = outages.length === 0 ? undefined : spreadOf(outages)
  const figures = spread === undefined ? ['none', '', ''] : [spread.median, spread.min, spread.max].map(formatMs)
  return [action, rounds.length, ...figures, sum(rounds, 'acknowledged'), sum(rounds, 'lost')]
}

const sum = (rounds: readonly ToldRound[], what: 'acknowledged' | 'lost'): number =>
  rounds.reduce((total, round) => total + round[what], 0)
