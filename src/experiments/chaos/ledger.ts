/**
 * What the database must still have of all rounds that are over: of each run, which writes survived it.
 */
import type { Cluster } from '../../cluster/cluster.ts'
import type { History } from '../../history/history.ts'
import type { Survivors } from '../../history/check.ts'
import { readSurvivors, WRITES_TABLE } from '../../client/writer.ts'

/** A former run whose rows are not what they were. */
export interface ChangedRun {
  readonly run: string
  readonly round: number
  /** There when its round ended, and gone. */
  readonly missingIds: readonly number[]
  /** Not there then, and of no write whose outcome was unknown. */
  readonly appearedIds: readonly number[]
  /** There more often than then, and more than once. */
  readonly multipliedIds: readonly number[]
}

interface Entry {
  readonly round: number
  readonly then: ReadonlyMap<number, number>
  readonly indeterminateIds: ReadonlySet<number>
  fingerprint: string
}

export class Ledger {
  readonly #entries = new Map<string, Entry>()

  /** Takes down what a run has left when its round ended. */
  enter(round: number, history: History, survivors: NonNullable<Survivors>): void {
    const indeterminateIds = new Set(
      history.writes.filter(({ outcome }) => outcome.kind === 'indeterminate').map(({ id }) => id),
    )
    this.#entries.set(history.run, { round, then: survivors, indeterminateIds, fingerprint: fingerprintOf(survivors) })
  }

  /** Compares every former run with what is there now. Rows are read one by one only of a run that has changed. */
  async compare(cluster: Cluster, primary: string, signal?: AbortSignal): Promise<ChangedRun[]> {
    if (this.#entries.size === 0) return []
    await using session = await cluster.connect(primary, { signal })
    const rows = await session.query<{ run: string; fingerprint: string }>(FINGERPRINTS, [], { timeoutMs: 120_000 })
    const now = new Map(rows.map(({ run, fingerprint }) => [run, fingerprint]))
    const changed: ChangedRun[] = []
    for (const [run, entry] of this.#entries) {
      if ((now.get(run) ?? NOTHING) === entry.fingerprint) continue
      const survivors = (await readSurvivors(cluster, run, signal)) ?? new Map<number, number>()
      const change = changeOf(entry, survivors)
      entry.fingerprint = fingerprintOf(survivors)
      if (Object.values(change).some(ids => ids.length > 0)) changed.push({ run, round: entry.round, ...change })
    }
    return changed
  }
}

function changeOf(
  { then, indeterminateIds }: Pick<Entry, 'then' | 'indeterminateIds'>,
  survivors: ReadonlyMap<number, number>,
): Pick<ChangedRun, 'missingIds' | 'appearedIds' | 'multipliedIds'> {
  const now = [...survivors]
  return {
    missingIds: [...then.keys()].filter(id => !survivors.has(id)),
    appearedIds: now.flatMap(([id]) => (then.has(id) || indeterminateIds.has(id) ? [] : [id])),
    multipliedIds: now.flatMap(([id, times]) => (times > Math.max(1, then.get(id) ?? 0) ? [id] : [])),
  }
}

const FINGERPRINTS = `SELECT run::text, concat_ws(' ', count(*), sum(id), sum(id::bigint * id)) AS fingerprint
FROM ${WRITES_TABLE} GROUP BY run`

const NOTHING = '0 0 0'

/** Of how many rows, their sum, and the sum of their squares. */
function fingerprintOf(survivors: ReadonlyMap<number, number>): string {
  const figures: [number, number, bigint] = [0, 0, 0n]
  for (const [id, times] of survivors) {
    figures[0] += times
    figures[1] += times * id
    figures[2] += BigInt(times) * BigInt(id) * BigInt(id)
  }
  return figures.join(' ')
}
