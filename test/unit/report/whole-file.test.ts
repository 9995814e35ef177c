import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { targetOf, writeWhole } from '../../../src/report/whole-file.ts'

describe('a file', () => {
  let folder: string
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'lab-whole-'))))
  afterEach(() => rm(folder, { recursive: true }))

  test('is whole, or as it was before', async () => {
    const file = join(folder, 'r.html')
    await writeWhole(file, scratch => writeFile(scratch, 'one'))
    const full = writeWhole(file, async scratch => {
      await writeFile(scratch, 'half')
      throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
    })
    await expect(full).rejects.toThrow('ENOSPC')
    expect(await readFile(file, 'utf8')).toBe('one')
    expect(await readdir(folder), 'nothing is left half').toEqual(['r.html'])
  })

  test('is written through a link, also one whose end is not there yet', async () => {
    await symlink('there.html', join(folder, 'link.html'))
    await symlink('link.html', join(folder, 'two.html'))
    expect(targetOf(join(folder, 'two.html'))).toBe(join(folder, 'there.html'))
    await writeWhole(join(folder, 'two.html'), scratch => writeFile(scratch, 'one'))
    expect(await readFile(join(folder, 'there.html'), 'utf8')).toBe('one')
  })

  test('at the end of a ring of links is none', async () => {
    await symlink('b', join(folder, 'a'))
    await symlink('a', join(folder, 'b'))
    expect(() => targetOf(join(folder, 'a'))).toThrow('too many links')
  })
})
