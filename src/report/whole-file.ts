/**
 * Files that are there whole or not at all.
 */
import { readlinkSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

/** How many links in a row are followed: Linux gives up there, too. https://man7.org/linux/man-pages/man7/path_resolution.7.html */
const MAX_LINKS = 40

/** The file that a path leads to, also through a link whose end is not there yet. @throws Error with the code ELOOP */
export function targetOf(path: string): string {
  let at = resolve(path)
  for (let links = 0; links < MAX_LINKS; links++) {
    try {
      at = resolve(dirname(at), readlinkSync(at))
    } catch {
      return at // no link, or nothing there
    }
  }
  throw Object.assign(new Error(`too many links from ${path}`), { code: 'ELOOP' })
}

/** `write` fills a file beside it, which then takes its name: should it fail, what was there before is there still. */
export async function writeWhole(path: string, write: (scratch: string) => Promise<void>): Promise<void> {
  const target = targetOf(path)
  const scratch = `${target}.${process.pid}.part`
  try {
    await write(scratch)
    await rename(scratch, target)
  } catch (error) {
    await rm(scratch, { force: true })
    throw error
  }
}
