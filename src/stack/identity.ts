/**
 * That a node has the data that it had: by its system identifier, and by when its data directory was made.
 */
import { LabError } from '../errors.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { together } from '../together.ts'

export interface Identity {
  readonly node: string
  readonly systemIdentifier: string
  /** When PG_VERSION was written, which only initdb and pg_basebackup do; milliseconds since 1970. */
  readonly madeAt: number
}

/** @throws LabError UNREACHABLE, WRONG_PASSWORD, INTERRUPTED */
export async function readIdentities(cluster: Cluster, signal?: AbortSignal): Promise<readonly Identity[]> {
  return await together(
    cluster.nodes,
    async ({ name }, failed) => {
      await using session = await cluster.connect(name, { as: 'superuser', signal: failed })
      const [row] = await session.query<{ system: string; made: string }>(IDENTITY)
      return { node: name, systemIdentifier: row?.system ?? '', madeAt: Number(row?.made) }
    },
    signal,
  )
}

const IDENTITY = `SELECT system_identifier::text AS system,
  (extract(epoch FROM (pg_stat_file('PG_VERSION')).modification) * 1000)::bigint::text AS made FROM pg_control_system()`

/** @throws LabError CLONE_FAILED when a node has other data than before */
export function requireSame(before: readonly Identity[], after: readonly Identity[]): void {
  const changed = before.flatMap(was => {
    const now = after.find(({ node }) => node === was.node)
    const isSame = now?.systemIdentifier === was.systemIdentifier && now.madeAt === was.madeAt
    return isSame ? [] : [was.node]
  })
  if (changed.length === 0) return
  throw new LabError('CLONE_FAILED', `${changed.join(', ')} did not keep its data: it was made anew`, {
    hint: 'The cluster runs, but by a clone. pnpm run logs shows why Patroni could not use the data that was there.',
  })
}
