/**
 * What comes with this package beside its code: package.json, docker-compose.yml, the scripts of the nodes.
 */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The package's own folder, one up from src/ and two from dist/src/, and its version. @throws Error when it has no package.json */
function packageAbove(): { readonly folder: string; readonly version: string } {
  for (let folder = dirname(fileURLToPath(import.meta.url)); folder !== dirname(folder); folder = dirname(folder)) {
    const version = versionIn(join(folder, 'package.json'))
    if (version !== undefined) return { folder, version }
  }
  throw new Error('pg-failover-lab has been taken apart: there is no package.json above its code')
}

export const packageFolder = (): string => packageAbove().folder
export const packageVersion = (): string => packageAbove().version

/** Undefined where there is no package.json, or that of another package. */
function versionIn(file: string): string | undefined {
  try {
    const { name, version } = JSON.parse(readFileSync(file, 'utf8')) as { name?: unknown; version?: unknown }
    return name === 'pg-failover-lab' && typeof version === 'string' ? version : undefined
  } catch {
    return undefined
  }
}
