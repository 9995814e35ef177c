/**
 * What is there when a measurement ends: on the new primary, and on every other server that can still be asked.
 */
import { throwIfInterrupted, messageOf } from '../../errors.ts'
import { isLook, primaryIn, type NamedServers, type Silence } from '../../client/named-servers.ts'
import { rowsIn } from '../../client/writer.ts'
import type { Survivors } from '../../history/check.ts'
import type { NodeAtEnd } from '../../measure/measured.ts'
import { parseServer, type Look } from '../../measure/takeover.ts'
import { met, notMet, waitUntil, type Condition } from '../../wait.ts'
import { isMissingTable } from './table.ts'

interface AtEnd {
  /** Undefined where nobody accepts writes, or it is not clear who is to be believed. */
  readonly survivors: Survivors
  readonly nodesAtEnd: readonly NodeAtEnd[]
  readonly unseen: readonly string[]
}

export interface EndOptions {
  readonly run: string
  /** Who took over, as the client saw it; undefined where nobody did. */
  readonly after: string | undefined
  readonly signal: AbortSignal
}

/** Asks each, over new connections. @throws LabError INTERRUPTED */
export async function readEnd(servers: NamedServers, { run, after, signal }: EndOptions): Promise<AtEnd> {
  const unseen: string[] = []
  const told = async <T>(what: string, work: () => Promise<T> | T): Promise<T | undefined> => {
    try {
      return await work()
    } catch (error) {
      throwIfInterrupted(signal)
      unseen.push(`${what}: ${messageOf(error)}`)
      return undefined
    }
  }
  const rowsOn = (node: string): Promise<ReadonlyMap<number, number>> => readRows(servers, { node, run, signal })
  const believed = await told('what is there of the writes', () =>
    waitUntil(readable(servers, after, rowsOn), {
      // Nobody is waited for who was not seen to be there.
      timeoutMs: after === undefined ? 1 : READ_TIMEOUT_MS,
      ...{ intervalMs: 500, signal },
    }),
  )
  const { primary, rows: survivors } = believed ?? {}
  const seen = await servers.lookAround(signal)
  const at = async (one: Look | Silence): Promise<NodeAtEnd> => {
    if (!isLook(one)) return { node: one.node, role: 'unreachable', server: null, rowsOnlyHere: null }
    const role = one.isInRecovery ? 'standby' : 'primary'
    const isPrimary = one.server === primary?.server
    const rows = isPrimary || survivors === undefined ? undefined : await told(one.node, () => rowsOn(one.node))
    const only = rows === undefined ? null : [...rows.keys()].filter(id => survivors?.has(id) === false).length
    return { node: one.node, role, server: parseServer(one.server), rowsOnlyHere: only }
  }
  const nodesAtEnd: NodeAtEnd[] = []
  for (const one of seen) nodesAtEnd.push(await at(one))
  return { survivors, nodesAtEnd, unseen }
}

/** An address may lead to a server that is gone for some seconds still. */
const READ_TIMEOUT_MS = 15_000

interface Believed {
  readonly primary: Pick<Look, 'node' | 'server'>
  readonly rows: ReadonlyMap<number, number>
}

const readable = (
  servers: NamedServers,
  after: string | undefined,
  rowsOn: (node: string) => Promise<ReadonlyMap<number, number>>,
): Condition<Believed> => ({
  what: 'what the new primary has of the writes',
  observe: async signal => {
    const seen = await servers.lookAround(signal)
    try {
      const primary = believedIn(seen, after)
      return met({ primary, rows: await rowsOn(primary.node) })
    } catch (error) {
      throwIfInterrupted(signal)
      return notMet(messageOf(error))
    }
  },
})

/** Who took over, if it still accepts writes: where two do, a client was led to it. */
function believedIn(seen: readonly (Look | Silence)[], after: string | undefined): Pick<Look, 'node' | 'server'> {
  // The address that moves is the first of them: what always leads to one server is asked rather.
  const found = seen.filter(isLook).findLast(look => look.server === after && !look.isInRecovery)
  if (found !== undefined) return found
  const { name: node, server } = primaryIn(seen)
  return { node, server }
}

async function readRows(
  servers: NamedServers,
  { node, run, signal }: { readonly node: string; readonly run: string; readonly signal: AbortSignal },
): Promise<ReadonlyMap<number, number>> {
  await using session = await servers.connect(node, { signal })
  try {
    return await rowsIn(servers.table ?? '', session, run)
  } catch (error) {
    if (isMissingTable(error)) return new Map()
    throw error
  }
}
