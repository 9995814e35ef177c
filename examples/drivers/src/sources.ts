/**
 * What the document quotes: the versions of the drivers, and the lines that mend them, from the files that run.
 */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { DocumentedSubject } from './document.ts'
import type { SubjectSpec } from './subject.ts'

/** Of this package, whether its sources or what is built of them runs. */
export const PACKAGE_FOLDER = join(dirname(fileURLToPath(import.meta.url)), '..')
const SOURCES = join(PACKAGE_FOLDER, 'src')

export const withMended = async (specs: readonly SubjectSpec[]): Promise<DocumentedSubject[]> =>
  await Promise.all(
    specs.map(async spec => ({ ...spec, mended: await readRegion(join('subjects', `${spec.module}.ts`)) })),
  )

/** The lines between `// #region …` and `// #endregion`, without what they are indented by. */
export async function readRegion(file: string): Promise<string> {
  const text = await readFile(join(SOURCES, file), 'utf8')
  const [, region] = /^ *\/\/ #region [^\n]*\n(.*?)^ *\/\/ #endregion$/ms.exec(text) ?? []
  if (region === undefined) throw new Error(`${file} has no region`)
  const indent = Math.min(...region.split('\n').flatMap(line => (line.trim() === '' ? [] : [line.search(/\S/)])))
  return region
    .split('\n')
    .map(line => line.slice(indent))
    .join('\n')
    .trimEnd()
}

/** Of what is installed here; one that is not is left out. */
export async function readVersions(specs: readonly SubjectSpec[]): Promise<Record<string, string>> {
  const names = [...new Set(['pg', ...specs.map(({ packageName }) => packageName)])].sort()
  const found = await Promise.all(names.map(async name => [name, await readVersion(name)] as const))
  return Object.fromEntries(found.flatMap(([name, version]) => (version === undefined ? [] : [[name, version]])))
}

async function readVersion(name: string): Promise<string | undefined> {
  const paths = createRequire(import.meta.url).resolve.paths(name) ?? []
  for (const path of paths) {
    const text = await readFile(join(path, name, 'package.json'), 'utf8').catch(() => undefined)
    if (text !== undefined) return (JSON.parse(text) as { readonly version: string }).version
  }
  return undefined
}
