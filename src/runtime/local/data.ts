/**
 * What the files of a node say of it: whether it has data, whether it may start, and as what.
 */
import { readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { codeOf } from '../../errors.ts'
import type { StartAs } from '../../postgres/start-writable.ts'
import type { NodeSpec } from '../../topology/topology.ts'
import { leaveStateFolder, removeFolder } from '../state-folder.ts'
import { dataOf, exists, logOf, pidFileOf, volumeOf, writeOwned, type Place } from './place.ts'
import { releaseSharedMemory } from './shared-memory.ts'

/** While this file is there, what is in PGDATA is half made. The last script of primary-init/ removes it. */
const initialisingMarker = (place: Place, node: NodeSpec): string => join(volumeOf(place, node), 'initialising')
/** While this file is there, what is in PGDATA is not to be trusted: the next start clones. */
const discardMarker = (place: Place, node: NodeSpec): string => join(volumeOf(place, node), 'clone-anew')
/** https://www.postgresql.org/docs/current/warm-standby.html#STANDBY-SERVER-OPERATION */
const standbySignal = (place: Place, node: NodeSpec): string => join(dataOf(place, node), 'standby.signal')

/** Whether a node's database is half made. */
export const isInitialising = (place: Place, node: NodeSpec): Promise<boolean> =>
  exists(initialisingMarker(place, node))

/** Whether a node has a whole database. */
export async function hasData(place: Place, node: NodeSpec): Promise<boolean> {
  if (await isInitialising(place, node)) return false
  return await exists(join(dataOf(place, node), 'PG_VERSION'))
}

/** No node has data: then, and only then, a database is made. */
export async function isNewCluster(place: Place, nodes: readonly NodeSpec[]): Promise<boolean> {
  const withData = await Promise.all(nodes.map(node => hasData(place, node)))
  return !withData.includes(true)
}

/** Whether a node can start from its data, without being cloned first. */
export async function canStart(place: Place, node: NodeSpec): Promise<boolean> {
  return (await hasData(place, node)) && !(await isDiscarded(place, node))
}

/** A file of its data; undefined when there is none. */
export async function readData(place: Place, node: NodeSpec, path: string): Promise<Uint8Array | undefined> {
  return await readFile(join(dataOf(place, node), path)).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error
    return undefined
  })
}

/** Its data can start only as a standby. Returns what was done, as a command. */
export const fence = (place: Place, node: NodeSpec): Promise<string> => touch(place, standbySignal(place, node))

/** Its data is worth nothing. Returns what was done, as a command. */
export const discard = (place: Place, node: NodeSpec): Promise<string> => touch(place, discardMarker(place, node))

/** Whether its data is worth nothing. */
export const isDiscarded = (place: Place, node: NodeSpec): Promise<boolean> => exists(discardMarker(place, node))

/** Its data has been made anew. */
export const trust = (place: Place, node: NodeSpec): Promise<void> => rm(discardMarker(place, node), { force: true })

/** Its data is being made from nothing. */
export async function beginInitialising(place: Place, node: NodeSpec): Promise<void> {
  await touch(place, initialisingMarker(place, node))
  await releaseSharedMemory(dataOf(place, node))
  await rm(dataOf(place, node), { recursive: true, force: true })
}

async function touch(place: Place, path: string, text = ''): Promise<string> {
  await writeOwned(place, path, { text })
  return `touch ${path}`
}

/**
 * What standby.signal says: it is not there, it is empty, or it is that of a former primary which starts read-only.
 * See become_reader in replica-entrypoint/start-writable.sh.
 */
export async function signalOf(place: Place, node: NodeSpec): Promise<StartAs['role']> {
  const text = await readFile(standbySignal(place, node), 'utf8').catch(() => undefined)
  return text === undefined ? 'primary' : text === '' ? 'standby' : 'reader'
}

/** Makes it say that. */
export async function setSignal(place: Place, node: NodeSpec, role: StartAs['role']): Promise<void> {
  if (role === 'primary') await rm(standbySignal(place, node), { force: true })
  else await touch(place, standbySignal(place, node), role === 'reader' ? 'a former primary\n' : '')
}

/** Removes everything of a node that does not run. */
export async function removeNode(place: Place, node: NodeSpec): Promise<void> {
  await releaseSharedMemory(dataOf(place, node))
  for (const path of [volumeOf(place, node), logOf(place, node), pidFileOf(place, node)]) {
    await rm(path, { recursive: true, force: true })
  }
}

/** Removes everything of a cluster of which no node runs. */
export async function removeCluster(place: Place, nodes: readonly NodeSpec[]): Promise<void> {
  for (const node of nodes) await releaseSharedMemory(dataOf(place, node))
  await removeFolder(place.root)
  await leaveStateFolder(dirname(place.root))
}
