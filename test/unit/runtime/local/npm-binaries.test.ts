import { chmod, lstat, mkdir, mkdtemp, readlink, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Binaries } from '../../../../src/runtime/binaries.ts'
import { usableBinaries } from '../../../../src/runtime/local/npm-binaries.ts'
import type { Place } from '../../../../src/runtime/local/place.ts'
import { catchLabError } from '../../../support/catch-lab-error.ts'

const IS_ROOT = process.getuid?.() === 0
/** Linux's user who may do nothing. */
const NOBODY = { name: 'nobody', uid: 65534, gid: 65534 }

let folder: string
let place: Place
let binaries: Binaries

/** Like the package as npm unpacks it: a program that needs a library by a name which only the list of links knows. */
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pg-failover-lab-npm-'))
  await chmod(folder, 0o755)
  place = { root: join(folder, 'state', 'cluster'), sockets: '', account: undefined }
  const directory = join(folder, 'package', 'native', 'bin')
  binaries = { directory, version: '18.4', source: 'npm', programs: new Set(['initdb', 'postgres']) }
  await mkdir(directory, { recursive: true })
  await mkdir(join(folder, 'package', 'native', 'lib'))
  await writeFile(join(folder, 'package', 'native', 'lib', 'libpq.so.5.18'), '')
  await writeFile(
    join(folder, 'package', 'native', 'pg-symlinks.json'),
    JSON.stringify([{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }]),
  )
  const program =
    '#!/bin/sh\n[ -e "${0%/*}/../lib/libpq.so.5" ] && exit 0\necho "libpq.so.5: cannot open" >&2\nexit 127\n'
  await writeFile(join(directory, 'postgres'), program, { mode: 0o755 })
})

afterEach(async () => {
  await chmod(join(folder, 'package', 'native', 'lib'), 0o755)
  await rm(folder, { recursive: true })
})

const libraries = (native: string): string => join(native, 'lib', 'libpq.so.5')

test('an installation without its symbolic links gets them, and is used where it is', async () => {
  expect(await usableBinaries(place, binaries)).toEqual(binaries)
  expect(await readlink(libraries(join(folder, 'package', 'native')))).toBe('libpq.so.5.18')
  expect(await usableBinaries(place, binaries), 'the next command finds them').toEqual(binaries)
})

test("where its folder is not ours to write, or the servers' user cannot reach it, a copy is used", async () => {
  // Root may write everywhere, and its servers have another user; everybody else's servers are their own.
  if (IS_ROOT) await chmod(join(folder, 'package'), 0o700)
  else await chmod(join(folder, 'package', 'native', 'lib'), 0o555)
  place = { ...place, account: IS_ROOT ? NOBODY : undefined }

  const copy = join(folder, 'state', 'postgresql-18.4')
  const usable = await usableBinaries(place, binaries)
  expect(usable).toEqual({ ...binaries, directory: join(copy, 'bin') })
  const library = await lstat(libraries(copy))
  expect(library.uid).toBe(IS_ROOT ? NOBODY.uid : process.getuid?.())
  expect((await lstat(join(copy, 'lib'))).mode & 0o200, 'it can be removed again').toBe(0o200)
  expect(await usableBinaries(place, binaries), 'the next command finds the copy').toEqual(usable)
})

test('what does not run here is said with its own words', async () => {
  await symlink('nowhere', libraries(join(folder, 'package', 'native')))
  const error = await catchLabError('NO_RUNTIME', () => usableBinaries(place, binaries))
  expect(error.message).toContain('libpq.so.5: cannot open')
})

test('an installed PostgreSQL is used as it is', async () => {
  const installed: Binaries = { ...binaries, source: 'installed', directory: '/nowhere/bin' }
  expect(await usableBinaries(place, installed)).toEqual(installed)
})
