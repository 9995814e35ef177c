/**
 * What a cluster is beside its compose file: the nodes that were added, and passwords of its own. Kept in files, so that
 * every later command knows it.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf } from '../errors.ts'
import { formatMembers, parseMembers, requireRoomFor } from '../topology/members.ts'
import type { Variables } from '../topology/compose/interpolation.ts'
import { withMembers, withVariables } from '../topology/read.ts'
import type { Member, Topology } from '../topology/topology.ts'

/** Where that is kept. */
export interface Kept {
  /** Lists the nodes that were added. */
  readonly file: string
  /** What the cluster adds to the variables which the compose file is read with. @default nothing */
  readonly variables?: () => Promise<Variables>
}

export class Membership {
  /** As the compose file has it. */
  readonly described: Topology
  readonly #kept: Kept
  #topology: Topology

  private constructor(described: Topology, kept: Kept) {
    this.described = described
    this.#kept = kept
    this.#topology = described
  }

  /** @throws LabError STATE_INVALID */
  static async read(described: Topology, kept: Kept): Promise<Membership> {
    const membership = new Membership(described, kept)
    await membership.refresh()
    return membership
  }

  /** The cluster as it is. The same object for as long as it is the same. */
  get topology(): Topology {
    return this.#topology
  }

  /** Reads again, since another command may have changed it. @throws LabError STATE_INVALID */
  async refresh(): Promise<void> {
    const own = await this.#kept.variables?.()
    const text = await readFile(this.#kept.file, 'utf8').catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    })
    const members = text === undefined ? [] : parseMembers(text, this.#kept.file)
    // One that the compose file describes by now is the file's.
    const added = members.filter(({ name }) => !this.described.nodes.some(node => node.name === name))
    this.#take(added, own)
  }

  /** @throws LabError USAGE when another command has just added one of that name */
  async add(member: Member): Promise<void> {
    await this.refresh()
    requireRoomFor(member.name, this.#topology)
    await this.#write([...this.#topology.members, member])
  }

  async remove(name: string): Promise<void> {
    await this.refresh()
    await this.#write(this.#topology.members.filter(member => member.name !== name))
  }

  /** The files go with the cluster; this is for who still holds this object. */
  forget(): void {
    this.#topology = this.described
  }

  #take(members: readonly Member[], own: Variables | undefined): void {
    const variables = { ...this.described.variables, ...own }
    const { members: before, variables: known } = this.#topology
    if (JSON.stringify([members, variables]) === JSON.stringify([before, known])) return
    this.#topology = withMembers(own === undefined ? this.described : withVariables(this.described, own), members)
  }

  async #write(members: readonly Member[]): Promise<void> {
    const topology = withMembers(this.#topology, members) // throws before anything is written
    const scratch = `${this.#kept.file}.${process.pid}`
    await mkdir(dirname(this.#kept.file), { recursive: true })
    await writeFile(scratch, formatMembers(members))
    await rename(scratch, this.#kept.file)
    this.#topology = topology
  }
}
