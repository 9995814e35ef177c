import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = new URL('../../', import.meta.url)
const SOURCE = fileURLToPath(new URL('README.md.ts', root))

/** `virtual:readme` is the test that is printed in README.md, with the library as its reader has it installed. */
export const readmePlugin = {
  name: 'readme',
  resolveId: (id: string): string | undefined => {
    if (id === 'virtual:readme') return SOURCE
    return id === 'pg-failover-lab' ? fileURLToPath(new URL('src/index.ts', root)) : undefined
  },
  load: (id: string): string | undefined => {
    if (id !== SOURCE) return undefined
    const [, code] = /^```ts\n(.*?)^```$/ms.exec(readFileSync(new URL('README.md', root), 'utf8')) ?? []
    if (code === undefined) throw new Error('README.md has no block of TypeScript')
    return code
  },
}
