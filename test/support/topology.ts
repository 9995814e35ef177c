/**
 * A compose file → Topology, without Docker Compose and without a runtime.
 */
import type { Variables } from '../../src/topology/compose/interpolation.ts'
import { readSource, type SourceOptions } from '../../src/topology/compose/source.ts'
import { topologyOf } from '../../src/topology/read.ts'
import type { Topology } from '../../src/topology/topology.ts'

export const readTopology = async (options: SourceOptions): Promise<Topology> => topologyOf(await readSource(options))

/** Of a file that is nowhere. */
export const parseTopology = (
  text: string,
  { file, variables = {} }: { readonly file: string; readonly variables?: Variables },
): Topology => topologyOf({ documents: [{ file, text }], variables })
