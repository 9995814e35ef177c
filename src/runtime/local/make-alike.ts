/**
 * One folder made like another, by copying what differs. A file whose size and time of change are those of its original is
 * taken to be the same: it was copied with both, and whoever writes to a file changes its time. Where a file system knows only
 * whole seconds that is no proof, and everything is copied.
 */
import { lstatSync, readdirSync, type BigIntStats } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { LabError } from '../../errors.ts'
import { lastLines, run } from '../command.ts'

/** Makes `folder` like `original`, of which it was a copy once. @throws LabError CLONE_FAILED */
export async function makeAlike(original: string, folder: string): Promise<void> {
  const differing = compare({ original, folder }, '')
  await Promise.all(differing.surplus.map(path => rm(join(folder, path), { recursive: true, force: true })))
  await Promise.all([...differing.missing].map(([parent, names]) => copyInto({ original, folder }, parent, names)))
}

interface Pair {
  readonly original: string
  readonly folder: string
}

interface Differing {
  /** By the folder that they are in; a folder with all that is in it is one of them. */
  readonly missing: Map<string, string[]>
  readonly surplus: string[]
}

/** Without waiting in between: some thousand files take less so than the promises for them would. */
function compare({ original, folder }: Pair, path: string, found = nothing()): Differing {
  const wanted = new Set(readdirSync(join(original, path)))
  const there = new Set(readdirSync(join(folder, path)))
  for (const name of there) if (!wanted.has(name)) found.surplus.push(join(path, name))
  for (const name of wanted) {
    const inner = join(path, name)
    const is = lstatSync(join(original, inner), { bigint: true })
    const was = there.has(name) ? lstatSync(join(folder, inner), { bigint: true }) : undefined
    if (was?.isDirectory() && is.isDirectory()) compare({ original, folder }, inner, found)
    else if (was === undefined || !isSame(is, was)) {
      if (was !== undefined) found.surplus.push(inner)
      found.missing.set(path, [...(found.missing.get(path) ?? []), name])
    }
  }
  return found
}

const nothing = (): Differing => ({ missing: new Map(), surplus: [] })

const isSame = (a: BigIntStats, b: BigIntStats): boolean =>
  a.isFile() &&
  b.isFile() &&
  a.size === b.size &&
  a.mtimeNs === b.mtimeNs &&
  a.mtimeNs % SECOND_NS !== 0n &&
  a.mode === b.mode

const SECOND_NS = 1_000_000_000n

async function copyInto({ original, folder }: Pair, parent: string, names: readonly string[]): Promise<void> {
  const sources = names.map(name => join(original, parent, name))
  const { exitCode, stderr } = await run(['cp', '-Rp', ...sources, join(folder, parent)], { environment: process.env })
  if (exitCode === 0) return
  throw new LabError('CLONE_FAILED', `cannot copy to ${folder}: ${lastLines(stderr, 1)}`, {
    hint: 'Make room on the disk, or choose another with LAB_STATE_DIR.',
  })
}
