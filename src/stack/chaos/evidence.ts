/**
 * What is looked at when a round with the stack is over. Judged by checks.ts.
 */
import { rowsIn, WRITES_TABLE } from '../../client/writer.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { caughtUp } from '../../cluster/conditions.ts'
import { standbysOf, type NodeStatus } from '../../cluster/node-status.ts'
import { isLabError } from '../../errors.ts'
import { sessionsLeft } from '../../experiments/chaos/checks.ts'
import { readOwnResources, readSessions } from '../../experiments/chaos/evidence.ts'
import type { NodeSessions, OwnResources } from '../../experiments/chaos/evidence.ts'
import type { ChangedRun, Ledger } from '../../experiments/chaos/ledger.ts'
import type { Acknowledgement } from '../../experiments/chaos/watcher.ts'
import { checkHistory, type Findings } from '../../history/check.ts'
import { parseServer } from '../../measure/takeover.ts'
import { met, notMet, waitUntil } from '../../wait.ts'
import { connectConsole } from '../pgbouncer.ts'
import { readPatroni, type PatroniMember } from '../rest.ts'
import type { PatroniStack } from '../stack.ts'
import type { StackWay } from '../ways.ts'
import type { WayHistory } from './clients.ts'
import type { StackPlan } from './plan.ts'

/** A write that was acknowledged, by whom, and on which timeline. */
export interface WayAcknowledgement {
  readonly id: number
  /** Null where it did not say. */
  readonly timeline: number | null
  readonly sentAt: number
  readonly settledAt: number
}

/** What was found out of one client. */
export interface WayFindings {
  readonly way: StackWay
  readonly findings: Findings
  /** In the order in which they were settled. */
  readonly acknowledgements: readonly WayAcknowledgement[]
}

/** PgBouncer keeps connections to the primary when its clients have gone. */
export interface Pooled {
  readonly toServers: number
  /** Of the lab's own clients, still connected to it. */
  readonly clients: number
}

export interface StackEvidence {
  readonly plan: StackPlan
  readonly before: { readonly primary: string; readonly timeline: number }
  /** Of every node, seen past all ways, by the watcher. */
  readonly acknowledgements: readonly Acknowledgement[]
  readonly ways: readonly WayFindings[]
  /** Over which nothing was acknowledged in time when all was well again. */
  readonly silentWays: readonly StackWay[]
  readonly changedRuns: readonly ChangedRun[]
  readonly expectedNodes: readonly string[]
  readonly nodes: readonly NodeStatus[]
  readonly members: readonly PatroniMember[]
  /** What each node has of all rounds, in one text. */
  readonly rows: readonly { readonly node: string; readonly fingerprint: string }[]
  readonly sessions: readonly NodeSessions[]
  readonly pooled: Pooled
  readonly own: OwnResources
}

const LIMIT_MS = 60_000

export interface Seen extends Pick<StackEvidence, 'plan' | 'before' | 'acknowledgements' | 'silentWays'> {
  readonly histories: readonly WayHistory[]
}

/** Of a cluster that is well, when nobody writes any more. What the round has left goes into the ledger. */
export async function readStackEvidence(
  cluster: Cluster,
  stack: PatroniStack,
  { histories, ledger, ...seen }: Seen & { readonly ledger: Ledger },
): Promise<StackEvidence> {
  const primary = await cluster.primary()
  // All of this round is on every node before the next begins: so nothing of it can be lost later.
  for (const { name } of standbysOf(await cluster.status()))
    await waitUntil(caughtUp(cluster, name, primary.currentLsn), { timeoutMs: LIMIT_MS })
  const changedRuns = await ledger.compare(cluster, primary.name)
  const ways: WayFindings[] = []
  for (const { way, history } of histories) {
    const survivors = await readRows(cluster, primary.name, history.run)
    ledger.enter(seen.plan.round, history, survivors)
    const findings = checkHistory(history, survivors, { faultHappened: true })
    ways.push({ way, findings, acknowledgements: acknowledgementsOf(history) })
  }
  const { sessions, pooled } = await settledSessions(cluster, stack)
  return {
    ...{ ...seen, ways, changedRuns, sessions, pooled },
    rows: await readFingerprints(cluster),
    expectedNodes: cluster.nodes.map(({ name }) => name),
    nodes: await cluster.status(),
    members: await settledMembers(stack),
    own: await readOwnResources(),
  }
}

async function readRows(cluster: Cluster, primary: string, run: string): Promise<ReadonlyMap<number, number>> {
  await using session = await cluster.connect(primary)
  return await rowsIn(WRITES_TABLE, session, run)
}

/** Those of a history that were acknowledged, as the servers that did it said. Pure. */
export const acknowledgementsOf = ({ writes }: WayHistory['history']): readonly WayAcknowledgement[] =>
  writes.flatMap(({ id, outcome, server, sentAt, settledAt }) => {
    if (outcome.kind !== 'acknowledged') return []
    return [{ id, sentAt, settledAt, timeline: parseServer(server ?? '').timeline }]
  })

const readFingerprints = async (cluster: Cluster): Promise<StackEvidence['rows']> =>
  await Promise.all(
    cluster.nodes.map(async ({ name: node }) => {
      await using session = await cluster.connect(node)
      const [row] = await session.query<{ fingerprint: string }>(FINGERPRINT, [], { timeoutMs: LIMIT_MS })
      return { node, fingerprint: row?.fingerprint ?? '' }
    }),
  )

/** What Patroni says of a node that was killed is what it said before, then that it starts, and only then how it is. */
async function settledMembers(stack: PatroniStack): Promise<readonly PatroniMember[]> {
  let seen: readonly PatroniMember[] = []
  const settled = {
    what: 'Patroni to have looked at every node',
    observe: async () => {
      seen = (await readPatroni(stack)).members
      const inBetween = membersInBetween(seen)
      return inBetween.length === 0 ? met(undefined) : notMet(inBetween.join(', '))
    },
  }
  await waitUntil(settled, { timeoutMs: LIMIT_MS, intervalMs: 200 }).catch((error: unknown) => {
    if (!isLabError(error, 'TIMEOUT')) throw error
  })
  return seen
}

/** Those of which it does not say how they are, but what they are about to be. Pure. */
export const membersInBetween = (members: readonly PatroniMember[]): string[] =>
  members.filter(({ state }) => !['running', 'streaming'].includes(state)).map(({ name, state }) => `${name} ${state}`)

const FINGERPRINT = `SELECT concat_ws(' ', count(*), sum(hashtextextended(concat_ws(' ', run, id, at), 0))) AS fingerprint
FROM ${WRITES_TABLE}`

type OpenSessions = Pick<StackEvidence, 'sessions' | 'pooled'>

/** Both ends take a moment to end what a client has closed: what is there after that stays. */
async function settledSessions(cluster: Cluster, stack: PatroniStack): Promise<OpenSessions> {
  let seen: OpenSessions | undefined
  const settled = {
    what: 'every session that the lab has closed to end',
    observe: async () => {
      seen = { sessions: await readSessions(cluster), pooled: await readPooled(stack) }
      const left = stackSessionsLeft(seen)
      return left.length === 0 ? met(seen) : notMet(left.join(', '))
    },
  }
  return await waitUntil(settled, { timeoutMs: SESSION_ENDS_MS, intervalMs: 100 }).catch((error: unknown) => {
    if (seen === undefined || !isLabError(error, 'TIMEOUT')) throw error
    return seen
  })
}

const SESSION_ENDS_MS = 15_000

async function readPooled(stack: PatroniStack): Promise<Pooled> {
  await using session = await connectConsole(stack)
  const servers = await session.query('SHOW SERVERS')
  const clients = await session.query<{ database: string; application_name: string }>('SHOW CLIENTS')
  return {
    toServers: servers.length,
    clients: clients.filter(client => client.database !== 'pgbouncer' && client.application_name === WRITER_NAME)
      .length,
  }
}

const WRITER_NAME = 'lab writer'

/** Sessions of the lab's that should be closed; those that PgBouncer keeps under its clients' name are its own. Pure. */
export function stackSessionsLeft({ sessions, pooled }: OpenSessions): string[] {
  const writers = sessions.reduce((sum, { sessions: open }) => sum + (open[WRITER_NAME] ?? 0), 0)
  const others = sessions.map(({ node, sessions: open }) => ({ node, sessions: { ...open, [WRITER_NAME]: 0 } }))
  return [
    ...sessionsLeft(others),
    ...(writers > pooled.toServers
      ? [`${writers} of "${WRITER_NAME}" on all nodes, of which PgBouncer has ${pooled.toServers}`]
      : []),
    ...(pooled.clients > 0 ? [`${pooled.clients} of "${WRITER_NAME}" on PgBouncer`] : []),
  ]
}
