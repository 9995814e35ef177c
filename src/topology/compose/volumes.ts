/**
 * `volumes` of a service.
 * https://docs.docker.com/reference/compose-file/services/#volumes
 * https://github.com/compose-spec/compose-go/blob/main/format/volume.go
 */
import { homedir } from 'node:os'
import { join, posix, resolve } from 'node:path'
import type { ComposeVolume } from './model.ts'

/** Where relative paths begin, and what `~` is. */
export interface Places {
  readonly folder: string
  readonly home: string | undefined
}

/** `data:/var/lib/postgresql:ro`. @throws Error */
export function shortVolume(text: string, places: Places): ComposeVolume {
  if (text === '') throw new Error('it has an empty volume')
  const parts = sections(text)
  if (parts.includes('') || parts.length > 3) throw new Error(`"${text}" is not a volume`)
  const [first = '', target] = parts
  if (target === undefined) return { type: 'volume', target: cleaned(first) }
  const isPath = /^[./~\\]/.test(first) || DRIVE.test(first)
  return isPath
    ? { type: 'bind', source: absolute(first, places), target: cleaned(target) }
    : { type: 'volume', source: first, target: cleaned(target) }
}

/** An absolute path of Windows. */
const DRIVE = /^[A-Za-z]:[\\/]/

/** Between colons; that of a Windows drive (`c:/x`) is none. */
function sections(text: string): string[] {
  const parts: string[] = []
  let part = ''
  for (const char of text) {
    if (char !== ':' || /^[A-Za-z]$/.test(part)) part += char
    else {
      parts.push(part)
      part = ''
    }
  }
  return [...parts, part]
}

/** A source of this machine. */
export function absolute(path: string, { folder, home = homedir() }: Places): string {
  if (DRIVE.test(path)) return path
  if (path === '~' || path.startsWith('~/')) return join(home, path.slice(1))
  return resolve(folder, path)
}

export const cleaned = (target: string): string => posix.normalize(target).replace(/(?<=.)\/$/, '')
