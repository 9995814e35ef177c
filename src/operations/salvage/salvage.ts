/**
 * Salvage: what only an old primary has is kept, before its rejoin erases it.
 *
 * Its server is started apart, by replica-entrypoint/salvage.sh: no TCP, a Unix socket in a private folder, nobody may
 * replicate from it, nobody can write. It starts as a standby of nobody. A fenced node is one already (standby.signal),
 * so that nothing has to be put away and put back: whatever ends the salvage, and wherever, leaves a node that cannot start
 * writable. A standby without a primary replays its own WAL to the end, as crash recovery would, and begins no timeline;
 * its WAL is the same afterwards, and pg_rewind has what it needs. So nothing is read from a copy, which would need as much
 * room as the database has, on a machine that may have lost its primary to a full disk.
 */
import { createWriteStream, existsSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { isLabError, LabError, messageOf, throwIfInterrupted } from '../../errors.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { libpqSource } from '../../cluster/libpq-source.ts'
import type { PastFork } from './past-fork.ts'
import { endSalvageScript, PIECE_BYTES, runSalvageScript, type ScriptOptions } from './script.ts'
import { statements, type Header } from './statements.ts'

export interface Salvaged {
  readonly file: string
  /** In it: they are in the old primary's lab.writes, and not in the new one's. */
  readonly rows: number
}

export interface SalvageOptions extends ScriptOptions {
  /** Is made; must not be there yet. */
  readonly file: string
}

/**
 * Writes the rows of lab.writes that a stopped node has and today's primary has not into a file that psql can replay there.
 * The file is there whole or not at all, and the node is as it was before. Rows are compared by all their columns.
 * @throws LabError SALVAGE_FAILED, USAGE when the file is there or cannot be written, NO_PRIMARY, TIMEOUT, INTERRUPTED
 * @example
 * ```ts
 * const past = await readPastFork(cluster, 'primary', { timeoutMs: 60_000 })
 * if (past !== null) await salvage(cluster, past, { file: 'lost.sql', timeoutMs: 60_000 })
 * ```
 */
export async function salvage(
  cluster: Cluster,
  past: Pick<PastFork, 'node' | 'timeline' | 'forkLsn' | 'forkTimeline' | 'primary'>,
  { file, ...limits }: SalvageOptions,
): Promise<Salvaged> {
  const { node } = past
  requireNew(file)
  const source = libpqSource(cluster, (await cluster.primary(limits.signal)).name)
  const text = 'postgres -D $PGDATA --listen_addresses= --unix_socket_directories=PRIVATE --primary_conninfo='
  cluster.emit({ kind: 'command', node, text })
  const { settings } = cluster.node(node)
  const seen = await runSalvageScript(cluster, node, {
    args: ['rows', String(past.timeline), source, ...settings],
    ...limits,
  })
  const [, rows = '', bytes = '', first = ''] = /^\s*(\d+)\s+(\d+)\n(.*)$/s.exec(seen) ?? []
  const pieces = piecesOf(cluster, node, { first, bytes: Number(bytes), ...limits })
  try {
    const header = { from: past, rows: Number(rows), date: new Date() }
    await write(file, pieces, { header, signal: limits.signal })
  } catch (error) {
    throwIfInterrupted(limits.signal)
    throw isLabError(error) ? error : cannotWrite(file, error)
  } finally {
    if (Number(bytes) > PIECE_BYTES) await endSalvageScript(cluster, node)
  }
  return { file, rows: Number(rows) }
}

/** It may hold rows of an earlier salvage, which are nowhere else. */
export function requireNew(file: string): void {
  if (!existsSync(file)) return
  throw new LabError('USAGE', `${file} is there already`, {
    hint: 'Name another: it may hold rows that are nowhere else.',
  })
}

interface Pieces extends ScriptOptions {
  /** Base64. */
  readonly first: string
  /** Of all. */
  readonly bytes: number
}

/** What the script left is fetched in pieces, because what a container prints is held in memory, and not all of it is kept. */
export async function* piecesOf(
  cluster: Cluster,
  node: string,
  { first, bytes, ...limits }: Pieces,
): AsyncGenerator<Uint8Array> {
  yield Buffer.from(first, 'base64')
  for (let at = 1; at * PIECE_BYTES < bytes; at++) {
    const piece = await runSalvageScript(cluster, node, { args: ['piece', String(at)], ...limits })
    yield Buffer.from(piece, 'base64')
  }
}

/** Gzip's check sum, and the number of rows, tell whether everything has arrived. */
async function write(
  file: string,
  pieces: AsyncIterable<Uint8Array>,
  { header, signal }: { readonly header: Header; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const partial = `${file}.partial`
  let rows = 0
  const script = (unzipped: AsyncIterable<Uint8Array>): AsyncIterable<string> =>
    statements(
      linesOf(unzipped, () => rows++),
      header,
    )
  try {
    const steps = [Readable.from(pieces), createGunzip(), script, createWriteStream(partial, { flush: true })] as const
    await pipeline(...steps, { signal })
    if (rows !== header.rows) throw new Error(`${rows} rows of ${header.rows} have arrived`)
    await rename(partial, file)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}

export async function* linesOf(
  source: AsyncIterable<Uint8Array>,
  onLine: () => unknown = () => undefined,
): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of source) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      onLine()
      yield line
    }
  }
}

const cannotWrite = (file: string, cause: unknown): LabError =>
  new LabError('SALVAGE_FAILED', `${file} could not be written: ${messageOf(cause)}`, {
    hint: 'Nothing was changed. Make room for it, or name another file.',
    cause,
  })
