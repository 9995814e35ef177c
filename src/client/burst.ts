/**
 * A burst of inserts on one connection, with every standby's replay position looked at meanwhile.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { standbysOf } from '../cluster/node-status.ts'
import { LabError, throwIfInterrupted } from '../errors.ts'
import { measureLag, type Commit, type Position, type StandbyLag } from '../measure/lag.ts'
import { connect, type Session } from '../postgres/connection.ts'
import { serverInUrl } from '../postgres/conninfo.ts'
import { bytesBehind, formatLsn, parseLsn, type Lsn } from '../postgres/lsn.ts'
import { met, notMet, pause, waitUntil, type Condition } from '../wait.ts'
import { Sampler } from './sampler.ts'

/** A server that can be connected to, one of the lab's or any other. */
export interface ServerToConnect {
  readonly name: string
  connect(signal?: AbortSignal): Promise<Session>
}

/** A primary, and the standbys that are looked at. */
export interface Servers {
  readonly primary: ServerToConnect
  readonly standbys: readonly ServerToConnect[]
}

/** Those of the lab's cluster, as superuser. @throws LabError NO_PRIMARY and the like */
export async function serversOf(cluster: Cluster, signal?: AbortSignal): Promise<Servers> {
  const all = await cluster.status(signal)
  const server = (name: string): ServerToConnect => ({
    name,
    connect: until => cluster.connect(name, { as: 'superuser', applicationName: 'lab burst', signal: until }),
  })
  return {
    primary: server((await cluster.primary(signal)).name),
    standbys: standbysOf(all).map(({ name }) => server(name)),
  }
}

/**
 * Any server, named by a URL; connects to nothing yet.
 * @throws LabError USAGE when it is no URL of a PostgreSQL server
 */
export function serverAt(url: string): ServerToConnect {
  return {
    name: serverInUrl(url),
    connect: signal => connect({ url, applicationName: 'pg-failover-lab lag', signal }),
  }
}

export interface BurstOptions {
  /** Run once for each insert; `$1` is its number, from 1. */
  readonly insert: string
  readonly inserts: number
  /** Inserts due per second. @default as fast as one connection goes */
  readonly ratePerSecond?: number | undefined
  /** Pause between two looks at a standby in milliseconds. @default 0: as fast as its connection goes */
  readonly lookEveryMs?: number | undefined
  /** Limit in milliseconds for each standby to replay everything. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** What was acknowledged when, and what was seen of each standby when. */
export interface Burst {
  /** In the order of their acknowledgements. */
  readonly commits: readonly Commit[]
  readonly standbys: readonly { readonly node: string; readonly positions: readonly Position[] }[]
}

/** @throws LabError TIMEOUT when a standby does not replay it all, UNREACHABLE, INTERRUPTED */
export async function runBurst({ primary, standbys }: Servers, options: BurstOptions): Promise<Burst> {
  const { lookEveryMs = 0, signal } = options
  await using session = await primary.connect(signal)
  const opened = await Promise.all(standbys.map(standby => standby.connect(signal)))
  const samplers = opened.map(one => new Sampler(one, { position: 'replayed', everyMs: lookEveryMs }))
  try {
    const commits = await insertAll(session, options)
    const end = commits.at(-1)?.lsn ?? (0n as Lsn)
    await Promise.all(
      samplers.map((sampler, at) =>
        waitUntil(replayed(sampler, { node: standbys[at]?.name ?? '', lsn: end }), { ...options, intervalMs: 1 }),
      ),
    )
    return {
      commits,
      standbys: samplers.map(({ positions }, at) => ({ node: standbys[at]?.name ?? '', positions: [...positions] })),
    }
  } finally {
    await Promise.all(samplers.map(sampler => sampler[Symbol.asyncDispose]()))
  }
}

/** From the first insert to the last acknowledgement, in milliseconds. */
export const durationOf = ({ commits }: Burst): number =>
  (commits.at(-1)?.acknowledgedAt ?? 0) - (commits[0]?.dueAt ?? 0)

/** How far behind each standby was. */
export const lagsOf = ({ commits, standbys }: Burst): (StandbyLag & { readonly node: string })[] =>
  standbys.map(({ node, positions }) => ({ node, ...measureLag(commits, positions) }))

async function insertAll(
  session: Session,
  { insert, inserts, ratePerSecond, signal }: BurstOptions,
): Promise<Commit[]> {
  const commits: Commit[] = []
  const startedAt = performance.now()
  for (let number = 1; number <= inserts; number++) {
    const dueAt = ratePerSecond === undefined ? performance.now() : startedAt + ((number - 1) * 1000) / ratePerSecond
    while (dueAt > performance.now()) await pause(dueAt - performance.now(), signal)
    throwIfInterrupted(signal)
    await session.query(insert, [number], { name: 'burst' })
    const acknowledgedAt = performance.now()
    const [row] = await session.query<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn', [], { name: 'end' })
    commits.push({ dueAt, acknowledgedAt, lsn: parseLsn(row?.lsn ?? '') })
  }
  return commits
}

function replayed(sampler: Sampler, { node, lsn }: { readonly node: string; readonly lsn: Lsn }): Condition<undefined> {
  return {
    what: `${node} to replay the burst`,
    observe: async () => {
      const last = sampler.positions.at(-1)
      if (last !== undefined && last.lsn >= lsn) return met(undefined)
      if (sampler.hasEnded)
        throw new LabError('UNREACHABLE', `${node} answers no more`, {
          hint: 'pnpm run status shows which nodes answer.',
        })
      return notMet(
        last === undefined
          ? 'no answer'
          : `replayed ${formatLsn(last.lsn)}, ${bytesBehind(lsn, last.lsn)} bytes behind`,
      )
    },
  }
}
