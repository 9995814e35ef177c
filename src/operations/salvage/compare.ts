/**
 * What a node has that today's primary has not, table by table: from what it keeps, or from its data while it is not rejoined.
 */
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { LabError } from '../../errors.ts'
import { formatLsn, segmentStart } from '../../postgres/lsn.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { libpqSource } from '../../cluster/libpq-source.ts'
import { readDifferences, type Comparison } from './differences.ts'
import { readKept } from './keep.ts'
import { readPastFork, type PastFork } from './past-fork.ts'
import { linesOf, piecesOf } from './salvage.ts'
import { endSalvageScript, PIECE_BYTES, runSalvageScript, type ScriptOptions } from './script.ts'

/** What there is to read of a node that had something of its own. */
export interface ToSalvage {
  readonly node: string
  /** What is read: what the node keeps, or its data. */
  readonly from: 'kept' | 'data'
  readonly past: Pick<PastFork, 'timeline' | 'forkLsn' | 'forkTimeline'>
}

export interface Compared extends Comparison, ToSalvage {}

/**
 * What the node keeps, or else its data, while it is stopped.
 * @throws LabError USAGE when there is nothing to read; SALVAGE_FAILED, NO_PRIMARY, TIMEOUT, INTERRUPTED
 */
export async function findToSalvage(cluster: Cluster, name: string, options: ScriptOptions): Promise<ToSalvage> {
  const node = cluster.node(name).name
  const [kept] = await readKept(cluster, node)
  if (kept !== undefined) return { node, from: 'kept', past: kept }
  return { node, from: 'data', past: await readPastForkOfStopped(cluster, node, options) }
}

/**
 * Compares every table with a primary key with today's primary. What the node keeps is read while it runs; its data only while
 * it is stopped.
 * @throws LabError USAGE when there is nothing to read; SALVAGE_FAILED, NO_PRIMARY, TIMEOUT, INTERRUPTED
 * @example
 * ```ts
 * const { tables, rows } = await compareWithPrimary(cluster, 'primary', { timeoutMs: 300_000 })
 * ```
 */
export async function compareWithPrimary(cluster: Cluster, name: string, options: ScriptOptions): Promise<Compared> {
  const primary = await cluster.primary(options.signal)
  const { node, from, past } = await findToSalvage(cluster, name, options)
  const limits = { ...options, onKept: from === 'kept' }
  const { settings } = cluster.node(node)
  const fork = [String(past.forkTimeline), formatLsn(past.forkLsn), formatLsn(segmentStart(past.forkLsn))]
  const args = ['tables', String(past.timeline), libpqSource(cluster, primary.name), ...fork, ...settings] as const
  const seen = await runSalvageScript(cluster, node, { args, ...limits })
  const [, bytes = '', first = ''] = /^\s*\d+\s+(\d+)\n(.*)$/s.exec(seen) ?? []
  try {
    const zipped = Readable.from(piecesOf(cluster, node, { first, bytes: Number(bytes), ...limits }))
    const comparison = await readDifferences(linesOf(zipped.pipe(createGunzip())))
    return { ...comparison, node, from, past }
  } finally {
    if (Number(bytes) > PIECE_BYTES) await endSalvageScript(cluster, node, limits.onKept)
  }
}

async function readPastForkOfStopped(cluster: Cluster, node: string, options: ScriptOptions): Promise<PastFork> {
  const state = await cluster.runtime.state(node)
  const past = state === 'stopped' ? await readPastFork(cluster, node, { ...options, names: false }) : null
  if (past !== null) return past
  throw new LabError(
    'USAGE',
    `${node} keeps nothing, and ${state === 'stopped' ? 'has nothing past a fork' : `is ${state}`}`,
    {
      hint: 'pnpm run status tells which nodes keep something. A node that was not rejoined is read while it is stopped.',
    },
  )
}
