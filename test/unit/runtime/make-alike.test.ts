import { execFileSync } from 'node:child_process'
import { lstatSync, readFileSync, readdirSync } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeAlike } from '../../../src/runtime/local/make-alike.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

let root: string
let original: string
let copy: string
beforeEach(async () => {
  root = await mkdtemp(join(temporaryFolder(), 'alike-'))
  ;[original, copy] = [join(root, 'original'), join(root, 'copy')]
  await mkdir(join(original, 'base', '1'), { recursive: true })
  await writeFile(join(original, 'base', '1', 'same'), 'same')
  await writeFile(join(original, 'base', '1', 'changed'), 'abc')
  await writeFile(join(original, 'gone'), 'gone')
  execFileSync('cp', ['-Rp', original, copy])
})
afterEach(() => rm(root, { recursive: true, force: true }))

const inodeOf = (path: string): number => lstatSync(path).ino
const listOf = (folder: string): string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()

describe('a folder that is made like another', () => {
  test('has what that has, and nothing else; what is the same is let alone', async () => {
    const same = inodeOf(join(copy, 'base', '1', 'same'))
    await writeFile(join(copy, 'base', '1', 'changed'), 'xyz') // as long as before
    await rm(join(copy, 'gone'))
    await writeFile(join(copy, 'new'), 'new')
    await mkdir(join(copy, 'base', '2'))
    await symlink('/', join(copy, 'base', 'link'))
    await makeAlike(original, copy)
    expect(listOf(copy)).toEqual(listOf(original))
    expect(readFileSync(join(copy, 'base', '1', 'changed'), 'utf8')).toBe('abc')
    expect(inodeOf(join(copy, 'base', '1', 'same'))).toBe(same)
    expect(lstatSync(join(copy, 'gone')).mtimeMs).toBe(lstatSync(join(original, 'gone')).mtimeMs)
  })

  test('has a folder where a file was, and a file where a folder was', async () => {
    await rm(join(copy, 'base'), { recursive: true })
    await writeFile(join(copy, 'base'), 'a file')
    await rm(join(copy, 'gone'))
    await mkdir(join(copy, 'gone'))
    await makeAlike(original, copy)
    expect(listOf(copy)).toEqual(listOf(original))
    expect(readFileSync(join(copy, 'gone'), 'utf8')).toBe('gone')
  })

  test('trusts no time that is a whole second: a change within it would not be seen', async () => {
    for (const folder of [original, copy]) await utimes(join(folder, 'gone'), 1_000, 1_000)
    await writeFile(join(copy, 'gone'), 'lost')
    await utimes(join(copy, 'gone'), 1_000, 1_000)
    await makeAlike(original, copy)
    expect(readFileSync(join(copy, 'gone'), 'utf8')).toBe('gone')
  })
})
