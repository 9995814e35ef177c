/**
 * The data of a whole cluster, made once and kept: a cluster like it is copied from there, which takes a tenth of making it.
 *
 * A template is named by everything that shapes its data (servers, settings, names, credentials, scripts), so there is
 * nothing to invalidate. Only addresses differ from copy to copy, and are written into each. Copies have one system
 * identifier: nothing but its address tells a server of one from the same server of another.
 */
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, truncate } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { codeOf, LabError } from '../../errors.ts'
import type { NodeSpec, Topology } from '../../topology/topology.ts'
import { lastLines, run } from '../command.ts'
import type { Membership } from '../membership.ts'
import type { Template } from '../runtime.ts'
import { dataOf, exists, preparePlace, writeOwned } from './place.ts'
import { copyPasswords, unnamedPasswords } from './passwords.ts'
import { FOLDER_MARKER } from '../state-folder.ts'
import {
  cacheFolder,
  findTemplate,
  keepTemplate,
  leaveSpare,
  makeCache,
  scratchIn,
  takeSpare,
  wantsSpare,
} from '../template-cache.ts'
import { makeAlike } from './make-alike.ts'
import { releaseSharedMemory } from './shared-memory.ts'
import { nodeEnvironment, type Host } from './server.ts'

/** That of the clusters which the compose file describes, on this host. Their own passwords go with the data. */
export function templateOf(host: Host, membership: Membership): Template {
  const topology = membership.described
  const cache = cacheFolder(topology.variables)
  const found = async (): Promise<string | undefined> => await findTemplate(cache, await keyOf(host, topology))
  return {
    copy: async () => {
      const template = await found()
      if (template === undefined) return false
      await preparePlace(host.place, topology)
      await copyPasswords(host.place, { from: template, to: host.place.root })
      const spare = join(host.place.root, 'spare')
      const isThere = await takeSpare(cache, { key: basename(template), target: spare })
      const make = isThere ? moveNode : copyNode
      await Promise.all(topology.nodes.map(node => make(host, node, isThere ? spare : template)))
      await rm(spare, { recursive: true, force: true })
      return true
    },
    restore: async () => {
      const template = await found()
      if (template === undefined) return false
      await keepOnlyData(host, topology)
      await preparePlace(host.place, topology)
      await copyPasswords(host.place, { from: template, to: host.place.root })
      await Promise.all(topology.nodes.map(node => restoreNode(host, node, template)))
      await membership.refresh()
      return true
    },
    leave: async () => {
      const template = await found()
      if (template === undefined || !(await wantsSpare(cache))) return
      for (const node of host.nodes()) await releaseSharedMemory(dataOf(host.place, node))
      const nodes = new Map(topology.nodes.map(node => [node.name, dataOf(host.place, node)]))
      await Promise.all([...nodes].map(([name, data]) => makeAlike(join(template, name), data)))
      await leaveSpare(cache, { key: basename(template), nodes })
    },
    save: async () => {
      const key = await keyOf(host, topology)
      const scratch = scratchIn(cache, key)
      await makeCache(cache)
      await mkdir(scratch, { mode: 0o700 })
      await copyPasswords(host.place, { from: host.place.root, to: scratch })
      for (const node of topology.nodes) {
        await copyFolder(dataOf(host.place, node), join(scratch, node.name))
        await shrinkWal(join(scratch, node.name, 'pg_wal'))
      }
      const label = { postgresVersion: host.binaries.version, nodes: topology.nodes.map(({ name }) => name) }
      await keepTemplate(cache, { key, scratch, label })
    },
  }
}

/** A hash of all that the data of these nodes depends on, other than their ports. */
async function keyOf({ place, binaries }: Host, topology: Topology): Promise<string> {
  const { directory, version } = binaries
  const { nodes } = topology
  const sources = [...new Set(nodes.flatMap(({ binds }) => Object.values(binds)))]
  const shape = [
    ...[directory, version, place.account?.uid, unnamedPasswords(topology)],
    nodes.map(({ name, environment, settings, data }) => [name, environment, settings, data]),
    await Promise.all(sources.map(contentOf)),
  ]
  return createHash('sha256').update(JSON.stringify(shape)).digest('hex').slice(0, 16)
}

async function contentOf(folder: string): Promise<unknown> {
  const names = (await readdir(folder)).sort()
  return await Promise.all(names.map(async name => [name, await readFile(join(folder, name), 'base64')]))
}

/** Renamed into place when it is whole, as a clone is. */
async function copyNode(host: Host, node: NodeSpec, template: string): Promise<void> {
  const scratch = `${dataOf(host.place, node)}.copying`
  await copyFolder(join(template, node.name), scratch)
  await giveAddress(host, node, scratch)
  await rename(scratch, dataOf(host.place, node))
}

/** The same of a copy that nobody else has. */
async function moveNode(host: Host, node: NodeSpec, spare: string): Promise<void> {
  await giveAddress(host, node, join(spare, node.name))
  await rename(join(spare, node.name), dataOf(host.place, node))
}

/** Where what is to be restored waits: not where a node looks for its data. */
const waitingPlace = ({ place }: Host, node: NodeSpec): string => join(place.root, `restoring-${node.name}`)

/** Removes everything of the cluster but the data of its nodes. */
async function keepOnlyData(host: Host, { nodes }: Topology): Promise<void> {
  const { place } = host
  // Also of those that were added.
  for (const node of host.nodes()) await releaseSharedMemory(dataOf(place, node))
  for (const node of nodes) {
    await rm(waitingPlace(host, node), { recursive: true, force: true })
    await rename(dataOf(place, node), waitingPlace(host, node)).catch(unlessMissing)
  }
  const kept = nodes.map(node => basename(waitingPlace(host, node)))
  for (const name of await readdir(place.root)) {
    if (!kept.includes(name) && name !== FOLDER_MARKER)
      await rm(join(place.root, name), { recursive: true, force: true })
  }
}

function unlessMissing(error: unknown): void {
  if (codeOf(error) !== 'ENOENT') throw error
}

/** Most of its files are as they were: only what differs is copied. */
async function restoreNode(host: Host, node: NodeSpec, template: string): Promise<void> {
  const waiting = waitingPlace(host, node)
  if (!(await exists(waiting))) return await copyNode(host, node, template)
  await makeAlike(join(template, node.name), waiting)
  await giveAddress(host, node, waiting)
  await rename(waiting, dataOf(host.place, node))
}

/** Writes where this cluster's nodes are into the settings of the node. */
async function giveAddress(host: Host, node: NodeSpec, folder: string): Promise<void> {
  const file = join(folder, 'postgresql.auto.conf')
  const lines = (await readFile(file, 'utf8')).split('\n').filter(line => !line.startsWith('primary_conninfo ='))
  const conninfo = nodeEnvironment(host, node)['PRIMARY_CONNINFO'] ?? ''
  const text = `${lines.join('\n')}primary_conninfo = '${conninfo.replaceAll(/['\\]/g, '$&$&')}'\n`
  await writeOwned(host.place, file, { text, mode: 0o600 })
}

/** By cp: it keeps owners and holes, clones blocks where the file system can, and takes a third of the time of node:fs. */
async function copyFolder(from: string, to: string): Promise<void> {
  const { exitCode, stderr } = await run(['cp', '-Rp', from, to], { environment: process.env })
  if (exitCode === 0) return
  await rm(to, { recursive: true, force: true })
  throw new LabError('CLONE_FAILED', `cannot copy ${from} to ${to}: ${lastLines(stderr, 1)}`, {
    hint: 'Make room on the disk, or choose another with LAB_STATE_DIR.',
  })
}

/** Two thirds of a new cluster are the zeros at the ends of its WAL segments: they become holes, which nobody copies. */
async function shrinkWal(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!/^[0-9A-F]{24}$/.test(name)) continue
    const path = join(folder, name)
    const content = await readFile(path)
    const end = content.findLastIndex(byte => byte !== 0) + 1
    await truncate(path, end)
    await truncate(path, content.length)
  }
}
