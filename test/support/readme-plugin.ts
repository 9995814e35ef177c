import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = new URL('../../', import.meta.url)
const SOURCE = fileURLToPath(new URL('README.md.ts', root))

/** What package.json exports, unbuilt; see doors/vitest.ts. */
const DOORS: ReadonlyMap<string, string> = new Map([
  ['pg-failover-lab', 'src/index.ts'],
  ['pg-failover-lab/vitest', 'test/support/doors/vitest.ts'],
  ['pg-failover-lab/router', 'src/router/index.ts'],
])

/** `virtual:readme` is the test that is printed in README.md, with the library as its reader has it installed. */
export const readmePlugin = {
  name: 'readme',
  // Before vite itself, which would take what was built last for the package.
  enforce: 'pre' as const,
  resolveId: (id: string, importer?: string): string | undefined => {
    if (id === 'virtual:readme') return SOURCE
    // What the reader has of their own.
    if (id === './app.ts' && importer === SOURCE) return fileURLToPath(new URL('examples/library/app.ts', root))
    const door = DOORS.get(id)
    return door === undefined ? undefined : fileURLToPath(new URL(door, root))
  },
  load: (id: string): string | undefined => {
    if (id !== SOURCE) return undefined
    const [, code] = /^```ts\n(.*?)^```$/ms.exec(readFileSync(new URL('README.md', root), 'utf8')) ?? []
    if (code === undefined) throw new Error('README.md has no block of TypeScript')
    return code
  },
}
