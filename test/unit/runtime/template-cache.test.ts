import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  cacheFolder,
  clearCache,
  findTemplate,
  keepTemplate,
  leaveSpare,
  takeSpare,
  wantsSpare,
  makeCache,
  readCache,
  scratchIn,
} from '../../../src/runtime/template-cache.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

let root: string
let folder: string
beforeEach(async () => {
  root = await mkdtemp(join(temporaryFolder(), 'cache-'))
  folder = join(root, 'templates')
  await makeCache(folder)
})
afterEach(() => rm(root, { recursive: true, force: true }))

const label = { postgresVersion: '17.2', nodes: ['primary', 'replica1'] }

async function keep(key: string, agedHours = 0): Promise<void> {
  const scratch = join(folder, `${key}.scratch`)
  await mkdir(scratch)
  await writeFile(join(scratch, 'data'), 'x'.repeat(10_000))
  await keepTemplate(folder, { key, scratch, label })
  const at = new Date(Date.now() - agedHours * 3_600_000)
  await utimes(join(folder, key), at, at)
}

const keysOf = async (): Promise<string[]> => (await readCache(folder)).map(({ key }) => key).sort()

describe('the cache of templates', () => {
  test('has what was kept, and finds it by its key', async () => {
    await keep('a')
    expect(await readCache(folder)).toEqual([
      { key: 'a', ...label, spares: 0, bytes: expect.any(Number), usedAt: expect.any(Date) },
    ])
    expect((await readCache(folder))[0]!.bytes).toBeGreaterThan(10_000)
    expect(await findTemplate(folder, 'a')).toBe(join(folder, 'a'))
    expect(await findTemplate(folder, 'b')).toBeUndefined()
  })

  test('lets the one go that was not used for longest, and none that somebody may be copying', async () => {
    for (const [at, key] of ['a', 'b', 'c', 'd', 'e', 'f'].entries()) await keep(key, 10 - at)
    await findTemplate(folder, 'a')
    await keep('g')
    expect(await keysOf(), 'b was the oldest').toEqual(['a', 'c', 'd', 'e', 'f', 'g'])
    for (const key of ['c', 'd', 'e', 'f']) await findTemplate(folder, key)
    await keep('h')
    expect(await keysOf(), 'all were used just now').toHaveLength(7)
  })

  test('that another process has filled meanwhile keeps the first', async () => {
    await keep('a')
    await keep('a')
    expect(await keysOf()).toEqual(['a'])
    expect(existsSync(join(folder, 'a.scratch'))).toBe(false)
  })

  test('has copies that clusters have left, three at most, and each is taken by one', async () => {
    await keep('a')
    const leave = async (): Promise<boolean> => {
      await mkdir(join(root, 'data'))
      return await leaveSpare(folder, { key: 'a', nodes: new Map([['primary', join(root, 'data')]]) })
    }
    for (let spare = 0; spare < 3; spare++) {
      expect(await wantsSpare(folder)).toBe(true)
      expect(await leave()).toBe(true)
    }
    expect(await wantsSpare(folder)).toBe(false)
    expect(await readCache(folder)).toMatchObject([{ key: 'a', spares: 3 }])
    expect(await takeSpare(folder, { key: 'b', target: join(root, 'x') }), 'of another kind').toBe(false)
    const takers = ['one', 'two', 'three', 'four']
    const taken = await Promise.all(takers.map(name => takeSpare(folder, { key: 'a', target: join(root, name) })))
    expect(taken.filter(Boolean).length).toBeLessThanOrEqual(3)
    for (const [at, name] of takers.entries()) expect(existsSync(join(root, name, 'primary'))).toBe(taken[at])
  })

  test('is empty when it was cleared, also of what was never finished', async () => {
    const dead = spawnSync(process.execPath, ['--version']).pid
    const ours = scratchIn(folder, 'e')
    const left = basename(ours).replace('e', 'c').replace(`.${process.pid}-`, `.${dead}-`)
    const elsewhere = `c.${dead}-elsewhere.abc`
    await mkdir(ours)
    for (const name of [left, elsewhere, 'd.going']) await mkdir(join(folder, name))
    await keep('a')
    expect(
      readdirSync(folder)
        .filter(name => /^[cde]/.test(name))
        .sort(),
    ).toEqual([elsewhere, basename(ours)])
    await mkdir(join(folder, 'b.123'))
    expect(await keysOf()).toEqual(['a'])
    expect(await clearCache(folder)).toBeGreaterThan(10_000)
    expect(existsSync(join(folder, 'b.123'))).toBe(false)
    expect(await keysOf()).toEqual([])
    expect(await readCache(join(root, 'nowhere'))).toEqual([])
    expect(await clearCache(join(root, 'nowhere'))).toBe(0)
  })
})

test('is where the variables say', () => {
  expect(cacheFolder({ LAB_CACHE_DIR: '/x', LAB_STATE_DIR: '/y' })).toBe('/x')
  expect(cacheFolder({ LAB_STATE_DIR: '/y' })).toBe('/y/.templates')
  const usual = process.getuid?.() === 0 ? '/var/cache/pg-failover-lab' : '/c/pg-failover-lab'
  expect(cacheFolder({ XDG_CACHE_HOME: '/c', HOME: '/h' })).toBe(usual)
})
