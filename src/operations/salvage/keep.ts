/**
 * What only one node has is kept before a rewind or a clone takes it away: the node's data as it was, in the folder `kept` of its
 * volume, one generation a node. `status` tells of it, `salvage` reads it, `down` removes it.
 */
import { isLabError, LabError, throwIfInterrupted } from '../../errors.ts'
import { formatLsn, parseLsn, type Lsn } from '../../postgres/lsn.ts'
import { lastLines } from '../../runtime/command.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import type { PastFork } from './past-fork.ts'

export interface Kept {
  readonly node: string
  /** When, as ISO 8601 writes it. */
  readonly keptAt: string
  /** Of the node then. */
  readonly timeline: number
  readonly forkLsn: Lsn
  readonly forkTimeline: number
  /** Whose history it was compared with. */
  readonly primary: PastFork['primary']
  /** WAL past the fork, in bytes; null when nobody could tell. */
  readonly walBytes: number | null
  /** How many records of that touch a table, an index or a catalog; null with `walBytes`. */
  readonly records: number | null
}

/** Whether there is anything past the fork that a table would miss, or nobody can tell. */
export const isWorthKeeping = ({ relations }: PastFork): boolean => relations === null || relations.length > 0

interface KeepOptions {
  /** A copy stays as it is, for a rewind; what is moved is cloned anew. */
  readonly by: 'copy' | 'move'
  readonly signal?: AbortSignal | undefined
}

/** Keeps the data of a stopped node. @throws LabError SALVAGE_FAILED when there is no room, INTERRUPTED */
export async function keep(cluster: Cluster, past: PastFork, { by, signal }: KeepOptions): Promise<Kept> {
  const { node, relations, ...where } = past
  const [before] = await readKeptOf(cluster, node)
  if (before !== undefined) {
    cluster.emit({
      kind: 'remark',
      text: `${node} kept something before, which is replaced now: ${describeKept(before)}`,
    })
  }
  const kept = {
    ...{ node, keptAt: new Date().toISOString(), timeline: where.timeline },
    ...{ forkLsn: where.forkLsn, forkTimeline: where.forkTimeline, primary: where.primary, walBytes: where.walBytes },
    records: relations === null ? null : relations.reduce((sum, { records }) => sum + records, 0),
  }
  const text = JSON.stringify({ ...kept, forkLsn: formatLsn(kept.forkLsn) })
  const argv = ['bash', '-c', 'exec bash "$SCRIPTS/keep.sh" "$@"', 'keep', by, text] as const
  const { exitCode, stderr } = await cluster.runtime.runOffline(node, [...argv], { signal })
  throwIfInterrupted(signal)
  if (exitCode !== 0) {
    throw new LabError('SALVAGE_FAILED', `what only ${node} has could not be kept: ${lastLines(stderr, 2)}`, {
      hint: `Make room for a copy of its data, or let it go: pnpm run rejoin ${node} --no-keep`,
    })
  }
  cluster.emit({
    kind: 'remark',
    text: `${node} keeps what only it has: ${describeKept(kept)}; pnpm run salvage ${node}`,
  })
  return kept
}

/**
 * What each node keeps, in their order; a node's own alone, if it is named.
 * @example
 * ```ts
 * for (const { node, records, keptAt } of await readKept(cluster)) console.log(node, records, keptAt)
 * ```
 */
export async function readKept(cluster: Cluster, node?: string): Promise<readonly Kept[]> {
  const nodes = node === undefined ? cluster.nodes.map(({ name }) => name) : [cluster.node(node).name]
  return (await Promise.all(nodes.map(name => readKeptOf(cluster, name)))).flat()
}

async function readKeptOf({ runtime }: Cluster, node: string): Promise<readonly Kept[]> {
  try {
    // Without data beside it, it is the trace of a move that was interrupted.
    if ((await runtime.readData(node, '../kept/data/PG_VERSION')) === undefined) return []
    const text = await runtime.readData(node, '../kept/kept.json')
    if (text === undefined) return []
    const { forkLsn, ...told } = JSON.parse(Buffer.from(text).toString()) as Omit<Kept, 'forkLsn'> & { forkLsn: string }
    return [{ ...told, forkLsn: parseLsn(forkLsn) }]
  } catch (error) {
    if (isLabError(error, 'NOT_RUNNING')) return [] // it has no container
    throw error
  }
}

/** `12 records past 0/402A998 on timeline 1, of 2026-11-25T04:43:54.123Z`. */
export function describeKept({ records, forkLsn, forkTimeline, keptAt }: Kept): string {
  const what = records === null ? 'what it had' : `${records} record${records === 1 ? '' : 's'} of WAL`
  return `${what} past ${formatLsn(forkLsn)} on timeline ${forkTimeline}, of ${keptAt}`
}
