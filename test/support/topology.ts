/**
 * A compose file → Topology, without Docker Compose and without a runtime.
 */
import type { Variables } from '../../src/topology/compose/interpolation.ts'
import { readSource, type ComposeSource, type SourceOptions } from '../../src/topology/compose/source.ts'
import { topologyOf } from '../../src/topology/read.ts'
import type { Topology } from '../../src/topology/topology.ts'

export const readTopology = async (options: SourceOptions): Promise<Topology> => topologyOf(await readSource(options))

/** Files that are nowhere; those of `env_file` by their names. */
export function sourceOf(
  text: string,
  { file, variables = {}, envFiles = {} }: { file: string; variables?: Variables; envFiles?: Record<string, string> },
): ComposeSource {
  const readEnvFile = (path: string): string => {
    const found = envFiles[path]
    if (found === undefined) throw new Error(`there is no ${path}`)
    return found
  }
  return { documents: [{ file, text }], variables, readEnvFile }
}

export const parseTopology = (text: string, options: { file: string; variables?: Variables }): Topology =>
  topologyOf(sourceOf(text, options))
