/**
 * What a server has outside its data directory: one System V segment of shared memory, which guards the directory against a
 * second server. One that is killed leaves it behind. The next server of the same directory takes it over; where the
 * directory goes, nobody does, and a machine has room for 4096 of them (Linux), or for 32 (macOS).
 * https://www.postgresql.org/docs/current/kernel-resources.html#SYSVIPC
 *
 * Its dynamic segments are in the data directory, and go with it: see postgresCommand. Those of initdb are in /dev/shm.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../command.ts'
import { processState, readOrEmpty } from './processes.ts'

/** Releases the segment of a server that was killed, by its data directory; nothing is done while it runs, or when it has ended by itself. */
export async function releaseSharedMemory(data: string): Promise<void> {
  const lines = (await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
  // Of a server in single-user mode, which rewind.sh uses, it is negative.
  const pid = (lines[0] ?? '').trim().replace('-', '')
  const [, id = ''] = lines[SHARED_MEMORY_LINE]?.trim().split(/\s+/) ?? []
  if (id === '' || (await processState(Number(pid))) !== undefined) return
  // Numbers are given anew: only if that very process has made it, it is what the file tells of.
  const listed = (await tool('ipcs', '-m', '-p')).split('\n').map(line => line.trim().split(/\s+/))
  if (listed.some(words => words.includes(id) && words.includes(pid))) await tool('ipcrm', '-m', id)
}

/** The key and the identifier. https://git.postgresql.org/gitweb/?p=postgresql.git;f=src/include/utils/pidfile.h, LOCK_FILE_LINE_SHMEM_KEY, from 0 */
const SHARED_MEMORY_LINE = 6

/** A machine without these tools keeps its segments until it restarts. */
async function tool(...argv: [string, ...string[]]): Promise<string> {
  const { stdout } = await run(argv, { environment: process.env }).catch(() => ({ stdout: '' }))
  return stdout
}

/** The dynamic segments that these processes use, as files; of processes that stand still. Linux only. */
export function dynamicSegmentsOf(pids: readonly number[]): readonly string[] {
  const maps = pids.map(pid => readOrEmpty(`/proc/${pid}/maps`)).join('')
  return [...new Set(maps.match(/\/dev\/shm\/PostgreSQL\.\d+/g))]
}
