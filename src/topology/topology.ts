/**
 * The cluster as docker-compose.yml describes it. Read by read.ts.
 */
import { LabError } from '../errors.ts'
import type { ComposeModel } from './compose/model.ts'
import type { ComposeSource } from './compose/source.ts'

/** A role's name and password, as the compose file gives them. */
export interface Credentials {
  readonly user: string
  readonly password: string
}

/** One PostgreSQL server of the cluster, by its service. Its role is not here: roles are asked for, never assumed. */
export interface NodeSpec {
  /** The service's name, which is also its cluster_name, its slot's name and its application_name. */
  readonly name: string
  readonly containerName: string | undefined
  readonly image: string
  /** What it does when it has no data: make a database, or clone whoever is primary then. */
  readonly firstStart: 'initdb' | 'clone'
  /** Where clients on this machine reach it. */
  readonly client: { readonly host: string; readonly port: number }
  /** The data directory, inside the volume that holds it. */
  readonly data: { readonly volume: string; readonly mountedAt: string; readonly directory: string }
  /** The server's settings: the service's command without its first word. */
  readonly settings: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** Folders of this machine that the compose file binds into the node, by where they appear. */
  readonly binds: Readonly<Record<string, string>>
}

/** The cluster, as described. */
export interface Topology extends ComposeSource {
  /** The first of its documents. */
  readonly file: string
  /** Compose's project name: what keeps two clusters on one machine apart. */
  readonly project: string
  readonly nodes: readonly NodeSpec[]
  readonly database: string
  readonly superuser: Credentials
  readonly lab: Credentials
  readonly replication: Credentials
  /** The services of its documents, resolved. */
  readonly model: ComposeModel
  /** Those of the nodes that the file does not describe: they were added while the cluster ran. */
  readonly members: readonly Member[]
  /** A second compose file, which describes the members; undefined when there are none. */
  readonly membersFile: string | undefined
}

/** A node that was added while the cluster ran: the compose file does not describe it. */
export interface Member {
  readonly name: string
  /** Where clients on this machine reach it. */
  readonly port: number
}

/** The node of that name. @throws LabError UNKNOWN_NODE, naming those there are. */
export function nodeNamed(topology: Topology, name: string): NodeSpec {
  const found = topology.nodes.find(n => n.name === name || n.containerName === name)
  if (found !== undefined) return found
  throw new LabError('UNKNOWN_NODE', `there is no node "${name}"`, {
    hint: `The nodes are ${topology.nodes.map(n => n.name).join(', ')}.`,
  })
}
