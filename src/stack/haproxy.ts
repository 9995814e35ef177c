/**
 * Where HAProxy leads, as its own page of figures tells: https://docs.haproxy.org/3.0/management.html#9.1
 */
import { throwIfInterrupted } from '../errors.ts'
import { connect } from '../postgres/connection.ts'
import { connectionUrl } from '../postgres/conninfo.ts'
import { met, notMet, type Condition } from '../wait.ts'
import type { PatroniStack } from './stack.ts'

/** The servers that each backend hands connections to now. */
export interface Ways {
  readonly primary: readonly string[]
  readonly standbys: readonly string[]
}

const ANSWER_TIMEOUT_MS = 2_000

/** Undefined where HAProxy does not answer. @throws LabError INTERRUPTED */
export async function readWays(stack: PatroniStack, signal?: AbortSignal): Promise<Ways | undefined> {
  const { host, port } = stack.haproxy.stats
  const { user, password } = stack.restUser
  const limit = AbortSignal.timeout(ANSWER_TIMEOUT_MS)
  try {
    const answer = await fetch(`http://${host}:${port}/;csv`, {
      headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` },
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
    })
    return answer.ok ? parseWays(await answer.text()) : undefined
  } catch {
    throwIfInterrupted(signal)
    return undefined
  }
}

/** A line a server; `# pxname,svname,…` names the columns. Pure. */
export function parseWays(csv: string): Ways {
  const [heading = '', ...lines] = csv.trim().split('\n')
  const columns = heading.replace(/^# /, '').split(',')
  const at = (line: string, column: string): string => line.split(',')[columns.indexOf(column)] ?? ''
  const up = (backend: string): string[] =>
    lines
      .filter(line => at(line, 'pxname') === backend && at(line, 'status').startsWith('UP'))
      .map(line => at(line, 'svname'))
      .filter(name => name !== 'BACKEND')
  return { primary: up('primary'), standbys: up('standbys') }
}

/** The one address leads to that node alone, and a new connection over it can write. */
export const leadsTo = (stack: PatroniStack, node: string): Condition<undefined> => ({
  what: `HAProxy to lead to ${node}, and to nobody else`,
  observe: async signal => {
    const ways = await readWays(stack, signal)
    const [first, ...others] = ways?.primary ?? []
    if (first !== node || others.length > 0) return notMet(`it leads to ${ways?.primary.join(', ') || 'nobody'}`)
    const { lab, database } = stack.topology
    try {
      await using session = await connect({
        url: connectionUrl({ ...stack.haproxy.primary, ...lab, database }),
        ...{ connectTimeoutMs: ANSWER_TIMEOUT_MS, signal },
      })
      const [row] = await session.query<{ standby: boolean }>('SELECT pg_is_in_recovery() AS standby')
      return row?.standby === false ? met(undefined) : notMet(`${node} does not accept writes yet`)
    } catch (error) {
      throwIfInterrupted(signal)
      return notMet(error instanceof Error ? error.message : String(error))
    }
  },
})
