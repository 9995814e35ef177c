/**
 * The timelines that a server has come through, as its own history file has them: over a connection of the replication
 * protocol, which a role with REPLICATION may open. https://www.postgresql.org/docs/current/protocol-replication.html
 */
import type pg from 'pg'
import { codeOf } from '../errors.ts'
import { parseTimelineHistory } from '../postgres/timeline-history.ts'
import { answered, close, open } from './client.ts'
import { firstLineage, type Lineage } from './lineage.ts'

/** `refused`: the role may not ask. @throws what the connection fails with */
export async function readLineage(
  config: pg.ClientConfig,
  { timeline, limitMs }: { readonly timeline: number; readonly limitMs: number },
): Promise<Lineage | 'refused'> {
  if (timeline === 1) return firstLineage
  const replication = { ...config, replication: 'database' } // node-postgres knows it, its types do not
  const walSender = await open(replication, limitMs).catch((error: unknown) => {
    if (REFUSALS.has(codeOf(error) ?? '')) return undefined
    throw error
  })
  if (walSender === undefined) return 'refused'
  try {
    const question = () => walSender.query<{ content: Buffer | string }>(`TIMELINE_HISTORY ${timeline}`)
    const { rows } = await answered(walSender, limitMs, question)
    return { timeline, ended: parseTimelineHistory(rows[0]?.content.toString() ?? ''), isComplete: true }
  } finally {
    await close(walSender)
  }
}

/** No REPLICATION, or no rule in pg_hba.conf for it. */
const REFUSALS = new Set(['42501', '28000'])
