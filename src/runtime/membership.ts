/**
 * Which nodes were added to those of the compose file: kept in a file, so that every later command knows them.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf } from '../errors.ts'
import { formatMembers, parseMembers, requireRoomFor } from '../topology/members.ts'
import { withMembers } from '../topology/read.ts'
import type { Member, Topology } from '../topology/topology.ts'

export class Membership {
  readonly #file: string
  #topology: Topology

  private constructor(topology: Topology, file: string) {
    this.#topology = topology
    this.#file = file
  }

  /** @throws LabError STATE_INVALID */
  static async read(described: Topology, file: string): Promise<Membership> {
    const membership = new Membership(described, file)
    await membership.refresh()
    return membership
  }

  /** The cluster with its members. */
  get topology(): Topology {
    return this.#topology
  }

  /** Reads the file again: another command may have added a node, or removed one. @throws LabError STATE_INVALID */
  async refresh(): Promise<void> {
    const text = await readFile(this.#file, 'utf8').catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    })
    const described = this.#topology.nodes.filter(({ name }) => !this.#topology.members.some(m => m.name === name))
    const members = text === undefined ? [] : parseMembers(text, this.#file)
    // One that the compose file describes by now is the file's.
    this.#take(members.filter(({ name }) => !described.some(node => node.name === name)))
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

  /** The file goes with the cluster; this is for who still holds this object. */
  forget(): void {
    this.#take([])
  }

  #take(members: readonly Member[]): void {
    if (formatMembers(members) !== formatMembers(this.#topology.members))
      this.#topology = withMembers(this.#topology, members)
  }

  async #write(members: readonly Member[]): Promise<void> {
    const topology = withMembers(this.#topology, members) // throws before anything is written
    const scratch = `${this.#file}.${process.pid}`
    await mkdir(dirname(this.#file), { recursive: true })
    await writeFile(scratch, formatMembers(members))
    await rename(scratch, this.#file)
    this.#topology = topology
  }
}
