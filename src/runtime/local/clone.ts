/**
 * pg_basebackup's work by hand, for a PostgreSQL that comes without it: the low-level backup API.
 * https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP
 * It copies files of the source's data directory, so it works only because both servers are on this machine.
 */
import { copyFile, lstat, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, LabError, messageOf, throwIfInterrupted } from '../../errors.ts'
import { connect } from '../../postgres/connection.ts'
import type { NodeSpec, Topology } from '../../topology/topology.ts'
import { trust } from './data.ts'
import { findPrimary } from './find-primary.ts'
import { dataOf, ownAll, type Place } from './place.ts'
import { releaseSharedMemory } from './shared-memory.ts'

interface CloneOptions {
  readonly place: Place
  readonly topology: Topology
  readonly target: NodeSpec
  readonly signal?: AbortSignal | undefined
}

/** Gives a node the data of whoever is the primary. @throws LabError NO_PRIMARY, CLONE_FAILED, INTERRUPTED */
export async function cloneFromPrimary(options: CloneOptions): Promise<void> {
  const { place, topology, target, signal } = options
  const source = await findPrimary(topology, signal)
  if (source === undefined)
    throw new LabError('NO_PRIMARY', `${target.name} has no data, and there is no primary to clone it from`, {
      hint: 'pnpm run up promotes a standby when no primary is left.',
    })
  await cloneByBackupApi(source, options)
  await trust(place, target)
}

/** Copies the source's data into a scratch folder, and renames it into place when it is whole. */
async function cloneByBackupApi(source: NodeSpec, { place, topology, target, signal }: CloneOptions): Promise<void> {
  const scratch = `${dataOf(place, target)}.cloning`
  await rm(scratch, { recursive: true, force: true })
  await using session = await connect({ ...source.client, ...topology.superuser, database: 'postgres', signal })
  try {
    // A slot that holds WAL from now on, so that what the standby still needs after the copy cannot be removed.
    await session.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1', [
      target.name,
    ])
    await session.query('SELECT pg_create_physical_replication_slot($1, immediately_reserve => true)', [target.name])
    await session.query('SELECT pg_backup_start($1, fast => true)', [`clone of ${target.name}`], { timeoutMs: 60_000 })
    await copyData(dataOf(place, source), scratch, signal)
    const [backup] = await session.query<{ labelfile: string }>(
      'SELECT labelfile FROM pg_backup_stop(wait_for_archive => false)',
    )
    await writeFile(join(scratch, 'backup_label'), backup?.labelfile ?? '')
    await writeFile(join(scratch, 'standby.signal'), '')
    await ownAll(place, scratch)
    await releaseSharedMemory(dataOf(place, target))
    await rm(dataOf(place, target), { recursive: true, force: true })
    await rename(scratch, dataOf(place, target))
  } catch (error) {
    throwIfInterrupted(signal)
    await rm(scratch, { recursive: true, force: true })
    throw new LabError('CLONE_FAILED', `${target.name} could not be cloned from ${source.name}: ${messageOf(error)}`, {
      hint:
        codeOf(error) === 'ENOSPC'
          ? 'Make room on the disk, then pnpm run up.'
          : 'pnpm run logs shows what the servers say.',
      cause: error,
    })
  }
}

/** What the manual says to leave out: the contents of these folders, and these files. */
const EMPTY_FOLDERS = new Set([
  'pg_wal',
  'pg_replslot',
  'pg_dynshmem',
  'pg_notify',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
])
const LEFT_OUT =
  /^(postmaster\.(pid|opts)|standby\.signal|recovery\.signal|backup_label(\.old)?|pg_internal\.init.*|pgsql_tmp.*)$/

async function copyData(from: string, to: string, signal: AbortSignal | undefined): Promise<void> {
  await mkdir(to, { mode: 0o700 })
  for (const name of await readdir(from)) {
    throwIfInterrupted(signal)
    if (LEFT_OUT.test(name)) continue
    const [source, target] = [join(from, name), join(to, name)]
    try {
      const file = await lstat(source)
      if (file.isSymbolicLink())
        throw new LabError('CLONE_FAILED', `${source} is a tablespace, which needs pg_basebackup`)
      if (!file.isDirectory()) await copyFile(source, target)
      else if (!EMPTY_FOLDERS.has(name)) await copyData(source, target, signal)
      else await mkdir(target, { mode: 0o700 })
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error // a file may go while the server runs: its removal is in the WAL
    }
  }
}
