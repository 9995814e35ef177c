/**
 * How long the checker and the record take over a million writes, and whether that is linear.
 */
import * as lab from '../src/index.ts'
import type { Sample } from './samples.ts'

const WRITES = 1_000_000
const PARTS = 4

/** The floor is four times a quarter of the work: a ratio of 1 is linear. */
export function measureJudging(): Sample {
  const quarter = timeOf(WRITES / PARTS)
  return { name: 'record', floorMs: quarter * PARTS, oursMs: timeOf(WRITES) }
}

/** What a record of a million writes takes in memory beyond its history, in bytes; needs node --expose-gc to be exact. */
export function memoryOfJudging(): number {
  const history = historyOf(WRITES)
  const survivors = survivorsOf(history)
  const before = process.memoryUsage().heapUsed
  const record = recordOf(history, survivors)
  const after = process.memoryUsage().heapUsed
  if (record.writes.attempted !== WRITES) throw new Error('the record has another number of writes')
  return Math.max(0, after - before)
}

function timeOf(writes: number): number {
  const history = historyOf(writes)
  const survivors = survivorsOf(history)
  const startedAt = performance.now()
  recordOf(history, survivors)
  return performance.now() - startedAt
}

/** A millisecond a write; every thousandth is of unknown outcome; the last percent before the middle is lost. */
function historyOf(count: number): lab.History {
  const writes = Array.from({ length: count }, (_, id): lab.Write => {
    const unknown = id % 1000 === 999
    const outcome: lab.Outcome = unknown ? { kind: 'indeterminate', code: 'ECONNRESET' } : { kind: 'acknowledged' }
    return { id, dueAt: id, sentAt: id, settledAt: id + 0.5, outcome }
  })
  return { run: 'bench', writes, connectionErrors: [], startedAt: 0, stoppedAt: count }
}

const survivorsOf = ({ writes }: lab.History): Map<number, number> =>
  new Map(
    writes
      .filter(({ id }) => id < writes.length * 0.49 || id > writes.length / 2)
      .map(({ id }): [number, number] => [id, 1]),
  )

function recordOf(history: lab.History, survivors: ReadonlyMap<number, number>): lab.FailoverRecord {
  const middle = history.writes.length / 2
  return lab.failoverRecord({
    ...{ runtime: 'local', postgresVersion: '', fault: 'crash', synchronousCommit: 'on' },
    ...{
      forkLsn: null,
      walBytesLost: null,
      lagAtFault: {},
      settings: {},
      load: { ratePerSecond: 1000, connections: 1 },
    },
    machine: { platform: '', cpus: 0, node: '' },
    ...{ at: '', labVersion: '', cutMs: 0, afterPromotion: null },
    failover: {
      ...{ oldPrimary: 'primary', newPrimary: 'replica1', timeline: { before: 1, after: 2 } },
      ...{ detectedAt: middle, fencedAt: middle, promotedAt: middle },
    },
    history,
    survivors,
  })
}
