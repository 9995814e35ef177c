/**
 * Where templates are kept (see local/template.ts): in the user's cache, so that every project and every test has the same
 * ones. There are never many: those that were not used for longest go first.
 */
import { randomBytes } from 'node:crypto'
import { lstat, mkdir, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { homedir, hostname } from 'node:os'
import { join } from 'node:path'
import { codeOf } from '../errors.ts'
import type { Variables } from '../topology/compose/interpolation.ts'
import { FOLDER_MARKER, makeStateFolder } from './state-folder.ts'
import { isAlive } from './temporary.ts'

/** What a template is of. */
export interface TemplateLabel {
  readonly postgresVersion: string
  readonly nodes: readonly string[]
}

/** A template in the cache. */
export interface CachedTemplate extends TemplateLabel {
  readonly key: string
  /** What it takes on the disk, with its spare copies. */
  readonly bytes: number
  /** Copies that clusters have left. */
  readonly spares: number
  readonly usedAt: Date
}

/**
 * LAB_CACHE_DIR; beside the clusters where LAB_STATE_DIR says where those are; else root's and everybody else's usual place.
 * https://specifications.freedesktop.org/basedir-spec/latest/
 */
export function cacheFolder(variables: Variables): string {
  const { LAB_CACHE_DIR: named, LAB_STATE_DIR: state, XDG_CACHE_HOME: cacheHome, HOME: home } = variables
  if (named) return named
  if (state) return join(state, '.templates')
  const usual = process.getuid?.() === 0 ? '/var/cache' : cacheHome || join(home || homedir(), '.cache')
  return join(usual, 'pg-failover-lab')
}

const LABEL_FILE = 'template.json'

/** More than these are not kept; each takes about 100 MB. */
const MOST_TEMPLATES = 6
/** Somebody may be copying one that was used so recently. */
const IN_USE_MS = 60 * 60 * 1000

/** Puts a template that was made in `scratch` into the cache; another process may have put the same there meanwhile. @throws LabError STATE_INVALID */
export async function keepTemplate(
  folder: string,
  { key, scratch, label }: { readonly key: string; readonly scratch: string; readonly label: TemplateLabel },
): Promise<void> {
  await writeFile(join(scratch, LABEL_FILE), `${JSON.stringify(label)}\n`)
  await rename(scratch, join(folder, key)).catch(async (error: unknown) => {
    await rm(scratch, { recursive: true })
    if (!['ENOTEMPTY', 'EEXIST'].includes(codeOf(error) ?? '')) throw error
  })
  const byAge = (await readCache(folder)).sort((a, b) => b.usedAt.getTime() - a.usedAt.getTime())
  for (const old of byAge.slice(MOST_TEMPLATES)) {
    if (isOld(old.usedAt))
      for (const name of [old.key, ...(await sparesOf(folder, old.key))]) await removeTemplate(folder, name)
  }
  await removeUnfinished(folder)
}

const isOld = (usedAt: Date): boolean => Date.now() - usedAt.getTime() > IN_USE_MS

/** Where this process makes what is to be in the cache: its name says whose it is. */
export const scratchIn = (folder: string, key: string): string =>
  join(folder, `${key}.${process.pid}-${host()}.${randomBytes(4).toString('hex')}`)

/** A cache may be shared with containers, whose processes are not to be seen from here. */
const host = (): string => hostname().replaceAll(/[^\w-]/g, '')

/** Removes what processes of this host that were killed have left half made, and what is half removed. */
export async function removeUnfinished(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => [])
  for (const name of names) {
    const [, pid = '', from] = /^[^.]+\.(\d+)-([^.]*)\.[^.]+$/.exec(name) ?? []
    const isLeft = from === host() && !isAlive(Number(pid))
    if (isLeft || name.endsWith(GOING)) await removeTemplate(folder, name)
  }
}

/** The folder of the template, noted as used; undefined where there is none. */
export async function findTemplate(folder: string, key: string): Promise<string | undefined> {
  const path = join(folder, key)
  const now = new Date()
  return await utimes(path, now, now).then(
    () => path,
    () => undefined,
  )
}

/** A copy of a template that a cluster has left is named by it. */
const SPARE = '.spare.'
/** Of all templates together: each is as large as a template. */
const MOST_SPARES = 3

/** Whether one more is wanted. */
export async function wantsSpare(folder: string): Promise<boolean> {
  return (await readdir(folder)).filter(name => name.includes(SPARE)).length < MOST_SPARES
}

/** Puts a copy into the cache that is as the template is. False where it cannot be moved there, from another file system. */
export async function leaveSpare(
  folder: string,
  { key, nodes }: { readonly key: string; readonly nodes: ReadonlyMap<string, string> },
): Promise<boolean> {
  const scratch = scratchIn(folder, key)
  await mkdir(scratch, { mode: 0o700 })
  try {
    for (const [name, data] of nodes) await rename(data, join(scratch, name))
    await rename(scratch, join(folder, `${key}${SPARE}${randomBytes(4).toString('hex')}`))
    return true
  } catch (error) {
    await rm(scratch, { recursive: true, force: true })
    if (codeOf(error) === 'EXDEV') return false
    throw error
  }
}

/** Takes one of them out of the cache, to `target`; false where there is none. Only one process gets it. */
export async function takeSpare(folder: string, { key, target }: { readonly key: string; readonly target: string }) {
  for (const name of await sparesOf(folder, key)) {
    const isOurs = await rename(join(folder, name), target).then(
      () => true,
      () => false,
    )
    if (isOurs) return true
  }
  return false
}

const sparesOf = async (folder: string, key: string): Promise<string[]> =>
  (await readdir(folder)).filter(name => name.startsWith(`${key}${SPARE}`))

/** Every template there is. */
export async function readCache(folder: string): Promise<CachedTemplate[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  })
  const all = await Promise.all(names.filter(name => name !== FOLDER_MARKER).map(name => readTemplate(folder, name)))
  return all.filter(template => template !== undefined)
}

/** Removes every template, and what was left of one that was never finished; returns how many bytes that has freed. */
export async function clearCache(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => [])
  let bytes = 0
  for (const name of names.filter(name => name !== FOLDER_MARKER)) {
    bytes += await sizeOf(join(folder, name))
    await removeTemplate(folder, name)
  }
  return bytes
}

/** Makes the folder where it is missing. @throws LabError STATE_INVALID */
export const makeCache = (folder: string): Promise<void> => makeStateFolder(folder)

const GOING = '.going'

/** Not there any more at once: nobody begins to copy what is being removed. */
async function removeTemplate(folder: string, name: string): Promise<void> {
  const going = name.endsWith(GOING) ? join(folder, name) : join(folder, `${name}${GOING}`)
  await rename(join(folder, name), going).catch(() => undefined)
  await rm(going, { recursive: true, force: true })
}

async function readTemplate(folder: string, key: string): Promise<CachedTemplate | undefined> {
  const path = join(folder, key)
  if (key.includes('.')) return undefined
  const text = await readFile(join(path, LABEL_FILE), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const usedAt = (await lstat(path).catch(() => undefined))?.mtime
  if (usedAt === undefined) return undefined // it has just gone
  const spares = await sparesOf(folder, key)
  const sizes = await Promise.all([key, ...spares].map(name => sizeOf(join(folder, name))))
  const bytes = sizes.reduce((sum, size) => sum + size, 0)
  return { key, ...(JSON.parse(text) as TemplateLabel), bytes, spares: spares.length, usedAt }
}

/** In blocks of 512 bytes, as st_blocks counts: holes take nothing. */
async function sizeOf(path: string): Promise<number> {
  const found = await lstat(path).catch(() => undefined)
  if (found === undefined) return 0
  if (!found.isDirectory()) return found.blocks * 512
  const names = await readdir(path)
  const sizes = await Promise.all(names.map(name => sizeOf(join(path, name))))
  return sizes.reduce((sum, size) => sum + size, found.blocks * 512)
}
