/**
 * What is there of a cluster on this machine.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf } from '../../errors.ts'
import type { NodeSpec } from '../../topology/topology.ts'
import type { Traces } from '../runtime.ts'
import type { Place } from './place.ts'
import { commandLines } from './processes.ts'

/** The files in the cluster's folder and in each volume below it, and the servers that were started from there. */
export async function tracesOf({ root }: Place, nodes: readonly NodeSpec[]): Promise<Traces> {
  const files = await listed(root)
  for (const { data } of nodes) {
    files.push(...(await listed(join(root, data.volume))).map(name => `${data.volume}/${name}`))
  }
  const servers = (await commandLines()).filter(line => line.includes(`${root}/`))
  const expectedFiles = [
    ...['.pg-failover-lab', 'sockets', 'binds', 'members.json', 'passwords.env'],
    ...nodes.flatMap(({ name, data: { volume, directory } }) => [
      ...[`${name}.log`, `${name}.pid`, volume],
      ...[directory, '.pgpass', 'kept'].map(file => `${volume}/${file}`),
    ]),
  ]
  return { files: files.sort(), expectedFiles, servers: servers.map(line => nodeOf(nodes, line)).sort() }
}

/** The node whose server has that command line; else the line itself, which is no server. */
function nodeOf(nodes: readonly NodeSpec[], line: string): string {
  const [, name] = /--cluster_name=(\S+)/.exec(line) ?? []
  return nodes.some(node => node.name === name) && name !== undefined ? name : line
}

async function listed(folder: string): Promise<string[]> {
  return await readdir(folder).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  })
}
