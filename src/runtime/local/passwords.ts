/**
 * Passwords of a cluster's own. Local servers answer every user of the machine, and a superuser runs programs as the account
 * of the servers (`COPY … PROGRAM`): a password that everybody knows would hand that account to everybody. Those that the
 * environment or `.env` names stand; the others are made with the cluster, and kept in its folder.
 */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { join } from 'node:path'
import { codeOf } from '../../errors.ts'
import { parseDotEnv } from '../../topology/compose/dot-env.ts'
import type { Variables } from '../../topology/compose/interpolation.ts'
import type { Topology } from '../../topology/topology.ts'
import { openOwn, writeOwned, type Place } from './place.ts'

/** The variables of docker-compose.yml which hold them. */
const VARIABLES = ['POSTGRES_PASSWORD', 'REPLICATION_PASSWORD', 'LAB_PASSWORD']

const fileIn = (folder: string): string => join(folder, 'passwords.env')

/** Those that the compose file asks for and nobody has named. */
export const unnamedPasswords = ({ documents, variables }: Topology): readonly string[] =>
  VARIABLES.filter(
    name => documents.some(({ text }) => RegExp(`\\$\\{?${name}\\b`).test(text)) && (variables[name] ?? '') === '',
  )

/** What the cluster in this folder was made with, of those that nobody names now; none before it is made. */
export async function readPasswords(folder: string, described: Topology): Promise<Variables> {
  const text = await textIn(folder)
  const kept = text === undefined ? {} : parseDotEnv(text, {})
  return Object.fromEntries(unnamedPasswords(described).flatMap(name => (name in kept ? [[name, kept[name]]] : [])))
}

async function textIn(folder: string): Promise<string | undefined> {
  try {
    await using file = await openOwn(fileIn(folder), constants.O_RDONLY)
    return await file.readFile('utf8')
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
    return undefined
  }
}

/** For a cluster that has no data yet; one that was begun before goes on with what it has. */
export async function makePasswords(place: Place, described: Topology): Promise<void> {
  if ((await textIn(place.root)) !== undefined) return
  const lines = unnamedPasswords(described).map(name => `${name}=${randomBytes(18).toString('base64url')}\n`)
  await writeOwned(place, fileIn(place.root), { text: lines.join(''), mode: 0o600 })
}

/** Data that is copied knows no other passwords than those it was made with. */
export async function copyPasswords(place: Place, { from, to }: { readonly from: string; readonly to: string }) {
  await writeOwned(place, fileIn(to), { text: (await textIn(from)) ?? '', mode: 0o600 })
}
