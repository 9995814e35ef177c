/**
 * Before anything is done to servers that are named by URLs: who they are, and what can be seen of them.
 */
import { isLabError, LabError, messageOf } from '../../errors.ts'
import { described, isLook, primaryIn, type NamedServers, type Silence } from '../../client/named-servers.ts'
import { whoAnswersOf, WHO_ANSWERS, WHO_PARTS, type WhoPart } from '../../client/who-answers.ts'
import { parseServer, type Look } from '../../measure/takeover.ts'
import type { Session } from '../../postgres/connection.ts'
import { serverErrorOf } from '../../postgres/sqlstate.ts'
import { readSettings } from '../trial-settings.ts'

export interface Survey {
  /** What leads to the primary. */
  readonly primary: string
  /** What the primary says of itself. */
  readonly server: string
  readonly seen: readonly (Look | Silence)[]
  readonly systemIdentifier: string | null
  readonly postgresVersion: string
  readonly settings: Readonly<Record<string, string>>
  /** What cannot be seen, and why. */
  readonly unseen: readonly string[]
}

/**
 * Looks at all of them, and finds out what the role may see: what it may not is told, and left out from then on.
 * @throws LabError NO_PRIMARY, SPLIT_BRAIN, WRONG_PASSWORD, UNREACHABLE; USAGE for servers of two clusters, for one server under
 * two names, and for an address that leads to a standby
 */
export async function survey(servers: NamedServers, signal: AbortSignal): Promise<Survey> {
  const unseen: string[] = []
  servers.whoAnswers = await visibleParts(servers, { unseen, signal })
  const seen = await servers.lookAround(signal)
  requireDifferent(servers, seen)
  requirePrimaryAddress(servers, seen)
  for (const one of seen) if (!isLook(one)) unseen.push(`${one.node}: ${messageOf(one.error)}`)
  const identifiers = await readIdentifiers(servers, { seen, unseen, signal })
  requireOneCluster(identifiers)
  const { name: primary, server } = primaryIn(seen)
  if (servers.kind === 'address' && servers.all.length === 1)
    unseen.push('the old primary after the failover, but for what a connection that is left on it sees: it has no URL')
  await using session = await servers.connect(primary, { signal })
  if (!(await seesStandbys(session)))
    unseen.push('how far each standby is: pg_stat_replication shows it to pg_monitor, and to superusers')
  const [row] = await session.query<{ version: string }>("SELECT current_setting('server_version') AS version")
  return {
    ...{ primary, server, seen, unseen },
    systemIdentifier: identifiers.get(primary) ?? null,
    postgresVersion: row?.version.split(' ')[0] ?? '',
    settings: await readSettings(session),
  }
}

interface Told {
  readonly unseen: string[]
  readonly signal: AbortSignal
}

/** Asks the first server that answers. @throws the first error, if none does */
async function visibleParts(servers: NamedServers, { unseen, signal }: Told): Promise<string> {
  const errors: unknown[] = []
  for (const { name } of servers.nodes) {
    try {
      return await visibleTo(await servers.connect(name, { signal }), unseen)
    } catch (error) {
      if (!isLabError(error, 'UNREACHABLE')) throw error
      errors.push(error)
    }
  }
  throw errors[0]
}

async function visibleTo(taken: Session, unseen: string[]): Promise<string> {
  await using session = taken
  const parts: WhoPart[] = []
  for (const part of WHO_PARTS) {
    const refusal = await refusalOf(session, `SELECT ${WHO_ANSWERS[part]}`)
    if (refusal === undefined) parts.push(part)
    else unseen.push(`${WHO_NAMES[part]}: ${refusal}`)
  }
  return whoAnswersOf(parts)
}

const WHO_NAMES: Readonly<Record<WhoPart, string>> = {
  address: "each server's own address",
  timeline: 'timelines',
  startedAt: 'when each server was started',
}

/** What the server says to a question that it does not answer. */
async function refusalOf(session: Session, question: string): Promise<string | undefined> {
  try {
    await session.query(question)
    return undefined
  } catch (error) {
    const said = serverErrorOf(error)
    if (said?.severity !== 'ERROR') throw error
    return `${said.message} (${said.code})`
  }
}

async function readIdentifiers(
  servers: NamedServers,
  { seen, unseen, signal }: Told & Pick<Survey, 'seen'>,
): Promise<ReadonlyMap<string, string>> {
  const identifiers = new Map<string, string>()
  for (const { node } of seen.filter(isLook)) {
    const identifier = await readIdentifier(await servers.connect(node, { signal }))
    if (identifier.refusal === undefined) identifiers.set(node, identifier.value)
    else {
      unseen.push(`the system identifier, so whether all are of one cluster: ${identifier.refusal}`)
      return identifiers
    }
  }
  return identifiers
}

async function readIdentifier(taken: Session): Promise<{ readonly value: string; readonly refusal?: string }> {
  await using session = taken
  const question = 'SELECT system_identifier::text AS value FROM pg_control_system()'
  const refusal = await refusalOf(session, question)
  if (refusal !== undefined) return { value: '', refusal }
  const [row] = await session.query<{ value: string }>(question)
  return { value: row?.value ?? '' }
}

function requireOneCluster(identifiers: ReadonlyMap<string, string>): void {
  const [first, ...others] = identifiers
  const stranger = others.find(([, identifier]) => identifier !== first?.[1])
  if (first === undefined || stranger === undefined) return
  throw new LabError('USAGE', `${stranger[0]} and ${first[0]} are of two clusters: their system identifiers differ`, {
    hint: 'Name the servers of one cluster.',
  })
}

/** Two names of one server would count it twice; that an address which moves leads to one of those beside it is what it is for. */
function requireDifferent({ moves, nodes }: NamedServers, seen: Survey['seen']): void {
  const looks = seen.filter(isLook).filter(({ node }) => !moves || node !== nodes[0]?.name)
  for (const [at, one] of looks.entries()) {
    const { address, startedAt } = parseServer(one.server)
    const twin = looks.slice(at + 1).find(({ server }) => {
      const other = parseServer(server)
      return address !== null && other.address === address && other.startedAt === startedAt
    })
    if (twin !== undefined)
      throw new LabError('USAGE', `${one.node} and ${twin.node} are one server: ${address}`, {
        hint: 'Name each server once; one address that leads to the primary is --primary.',
      })
  }
}

function requirePrimaryAddress({ kind, nodes }: NamedServers, seen: Survey['seen']): void {
  const [address] = nodes
  const at = seen.find(({ node }) => node === address?.name)
  if (kind === 'nodes' || at === undefined || !isLook(at) || !at.isInRecovery) return
  throw new LabError('USAGE', `${described(at)}, not the primary`, {
    hint: 'Name an address that leads to the primary with --primary, or every node with --node.',
  })
}

/** There may be none; then nothing is hidden. */
async function seesStandbys(session: Session): Promise<boolean> {
  const question = `SELECT pg_has_role('pg_read_all_stats', 'USAGE') OR NOT EXISTS (SELECT FROM pg_stat_replication
    WHERE state IS NULL) AS sees`
  const [row] = await session.query<{ sees: boolean }>(question)
  return row?.sees === true
}
