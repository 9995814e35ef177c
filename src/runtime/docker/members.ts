/**
 * What Docker is told of nodes that were added: Compose by a second file, and the other containers, whose environment
 * cannot change any more, by a script on their volume.
 */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { NodeSpec, Topology } from '../../topology/topology.ts'
import { leaveStateFolder, makeStateFolder, stateFolder } from '../state-folder.ts'

/** Not the folder of the local runtime, which takes it for a cluster of its own. No project's name has a dot. */
const folderOf = ({ variables, project }: Topology): string => join(stateFolder(variables), `${project}.docker`)

export const membersJson = (topology: Topology): string => join(folderOf(topology), 'members.json')

/** The compose files of the cluster, for `--file`; that of the members, which has their passwords, is written for it. */
export async function composeFiles(topology: Topology): Promise<readonly string[]> {
  const files = topology.documents.map(({ file }) => file)
  if (topology.membersFile === undefined) return files
  const path = join(folderOf(topology), 'members.compose.json')
  await makeStateFolder(stateFolder(topology.variables))
  await mkdir(dirname(path), { recursive: true })
  const scratch = `${path}.${process.pid}`
  await writeFile(scratch, topology.membersFile, { mode: 0o600 })
  await rename(scratch, path)
  return [...files, path]
}

/** Removes both files. */
export async function removeMembersFiles(topology: Topology): Promise<void> {
  await rm(folderOf(topology), { recursive: true, force: true })
  await leaveStateFolder(stateFolder(topology.variables))
}

/** Read by replica-entrypoint/: which nodes there are by now, instead of what the container's environment says. */
export const MEMBERS_SCRIPT = 'members.sh'

export const membersScript = (nodes: readonly NodeSpec[], conninfo: string): string =>
  `CLUSTER_NODES=${quoted(nodes.map(({ name }) => name).join(','))}\nPRIMARY_CONNINFO=${quoted(conninfo)}\n`

const quoted = (word: string): string => `'${word.replaceAll("'", String.raw`'\''`)}'`
