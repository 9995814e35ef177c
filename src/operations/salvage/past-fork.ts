/**
 * What a node has past the fork: the place where the history of today's primary left the node's timeline. A rejoin erases it.
 */
import { isLabError, LabError } from '../../errors.ts'
import { bytesBehind, formatLsn, segmentStart, type Lsn } from '../../postgres/lsn.ts'
import { endOfWalDump, parseRelationRecords, type RelationRecords } from '../../postgres/wal-dump.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { readHistory } from '../divergence.ts'
import { runSalvageScript, type ScriptOptions } from './script.ts'

export interface PastFork {
  readonly node: string
  /** Of the node; the primary left it. */
  readonly timeline: number
  /** Where it left it. */
  readonly forkLsn: Lsn
  readonly primary: { readonly name: string; readonly timeline: number }
  /** The node's WAL past the fork, in bytes; null without pg_waldump, or when the WAL around the fork is gone. */
  readonly walBytes: number | null
  /** What that WAL touches, most records first; null with `walBytes`. */
  readonly relations: readonly TouchedRelation[] | null
}

/** A table, index, TOAST table or catalog. */
export interface TouchedRelation {
  /**
   * `lab.writes`; where nobody can tell it (the relation is gone again, or belongs to another database) the file as WAL
   * names it, `tablespace/database/filenode`.
   */
  readonly name: string
  /** WAL records past the fork with a block of it. */
  readonly records: number
}

/**
 * Reads what `node`, which must be stopped, has past the fork; null when there is no fork: it has no data, or is on the
 * primary's own timeline. For the names its server is started apart (see {@link salvage}), because the primary may have
 * given the same filenodes to relations of its own.
 * @throws LabError SALVAGE_FAILED when it runs, or a rejoin was interrupted half way; NO_PRIMARY, UNREACHABLE, TIMEOUT
 */
export async function readPastFork(cluster: Cluster, node: string, options: ScriptOptions): Promise<PastFork | null> {
  if ((await cluster.runtime.state(node)) === 'absent') return null
  const primary = await cluster.primary(options.signal)
  const forks = await readHistory(cluster, primary.name, { on: primary.timeline, signal: options.signal })
  const program = (await cluster.runtime.offers('pg_waldump')) ? 'pg_waldump' : 'none'
  const places = forks.flatMap(({ timeline, forkLsn }) => [
    String(timeline),
    formatLsn(forkLsn),
    formatLsn(segmentStart(forkLsn)),
  ])
  const seen = await runSalvageScript(cluster, node, { args: ['look', program, ...places], ...options })
  const [own = '', lastRecord = '', counted = ''] = seen.split('\n')
  requireWhole(node, own)
  const fork = forks.find(({ timeline }) => timeline === Number(own))
  if (fork === undefined) return null
  const end = endOfWalDump(lastRecord)
  const { timeline, forkLsn } = fork
  const where = { node, timeline, forkLsn, primary: { name: primary.name, timeline: primary.timeline } }
  if (end === undefined) return { ...where, walBytes: null, relations: null }
  const relations = await named(cluster, node, { touched: parseRelationRecords(counted), ...options })
  return { ...where, walBytes: bytesBehind(end, forkLsn), relations }
}

function requireWhole(node: string, seen: string): void {
  if (seen !== 'half-rewound') return
  throw new LabError('SALVAGE_FAILED', `a rejoin of ${node} was interrupted, and its data is no whole any more`, {
    hint: 'pnpm run up clones it anew; what only it had cannot be read.',
  })
}

/** So many are asked for: their list is one argument of a program, which has a limit (128 kB on Linux). */
const MOST_NAMES = 1_000

async function named(
  cluster: Cluster,
  node: string,
  { touched, ...options }: ScriptOptions & { readonly touched: readonly RelationRecords[] },
): Promise<readonly TouchedRelation[]> {
  const wanted = touched.slice(0, MOST_NAMES).map(({ relation }) => relation)
  const names = wanted.length === 0 ? {} : await readNames(cluster, node, { wanted, ...options })
  return touched.map(({ relation, records }) => ({ name: names[relation] ?? relation, records }))
}

async function readNames(
  cluster: Cluster,
  node: string,
  { wanted, ...options }: ScriptOptions & { readonly wanted: readonly string[] },
): Promise<Readonly<Record<string, string>>> {
  const { settings } = cluster.node(node)
  try {
    const args = ['names', wanted.join(' '), ...settings] as const
    return JSON.parse(await runSalvageScript(cluster, node, { args, ...options })) as Record<string, string>
  } catch (error) {
    if (!isLabError(error, 'SALVAGE_FAILED')) throw error
    return {}
  }
}
