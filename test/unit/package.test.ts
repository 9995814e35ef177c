import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'

interface Manifest {
  readonly packageManager?: string
  readonly scripts: Readonly<Record<string, string>>
}

const manifest = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as Manifest

test('no version of pnpm is pinned, because any other would download that one first, and may refuse it', () => {
  expect(manifest.packageManager).toBeUndefined()
})

test('no script calls a package manager, so whichever runs the script is enough', () => {
  const calling = Object.entries(manifest.scripts).filter(([, script]) =>
    /(^|[;&|]) *(npm|npx|pnpm|yarn|bun) /.test(script),
  )
  expect(calling).toEqual([])
})
