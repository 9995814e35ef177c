/**
 * What can befall the stack, and how it is healed afterwards. Nothing here decides who leads next: that is Patroni's.
 */
import { setMaxListeners } from 'node:events'
import { crash } from '../faults/power.ts'
import { NamedServers } from '../client/named-servers.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { LabError, throwIfInterrupted } from '../errors.ts'
import { connectionUrl } from '../postgres/conninfo.ts'
import { met, notMet, pause, waitUntil, type Condition } from '../wait.ts'
import { startEtcd } from './etcd.ts'
import type { LockWatch } from './lock-watch.ts'
import { askForSwitchover, leads, readPatroni } from './rest.ts'
import { runCompose, type PatroniStack } from './stack.ts'
import { inOneLook, stackWell, type StackWell } from './well.ts'

export const stackEvents = [
  ...(['killed', 'postmaster', 'stop', 'freeze'] as const),
  ...(['isolated', 'etcd', 'switchover', 'spike'] as const),
] as const
export type StackEvent = (typeof stackEvents)[number]

/** What each is, in a sentence. */
export const stackEventMeanings: Readonly<Record<StackEvent, string>> = {
  killed: "the primary's node is killed, Patroni with it",
  postmaster: "the primary's postmaster alone is killed; Patroni sees it",
  stop: 'the primary is shut down in order, and gives its lock back',
  freeze: 'the primary stands still until another leads, and then goes on',
  isolated: 'the primary is cut from its peers and from etcd; clients still reach it',
  etcd: 'etcd is away for a while',
  switchover: 'Patroni is asked to make another node the primary',
  spike: 'sixty sessions that compute and write; nobody is to lead but who did',
}

export interface EventOptions {
  /** Who leads when it begins. */
  readonly primary: string
  /** Hears who holds the lock; what has to wait for another leader waits for that. */
  readonly lock: LockWatch
  /** `etcd` and `spike` last so long. Milliseconds. */
  readonly lastsMs: number
  /** A node that is frozen or isolated is so for this long after another one leads. Milliseconds. */
  readonly afterTakeoverMs: number
  /** Limit for another node to lead, in milliseconds: then it ends all the same. */
  readonly limitMs: number
  readonly signal?: AbortSignal | undefined
}

/** Lets it happen, from its beginning to its end; what it leaves broken is healed by {@link healStack}. */
export async function befall(
  cluster: Cluster,
  stack: PatroniStack,
  { event, ...options }: EventOptions & { readonly event: StackEvent },
): Promise<void> {
  const { primary, signal } = options
  const limits = { timeoutMs: COMMAND_TIMEOUT_MS, signal }
  switch (event) {
    case 'killed':
      return await crash(cluster, primary)
    case 'postmaster': {
      const script = 'kill -KILL "$(head -n 1 "$PGDATA/postmaster.pid")"'
      await runCompose(stack, ['exec', '-T', primary, 'sh', '-c', script], limits)
      return
    }
    case 'stop':
      // Patroni shuts its server down when it is asked to end, and gives the lock back.
      cluster.emit({ kind: 'command', node: primary, text: await cluster.runtime.stop(primary, 'smart', { signal }) })
      return
    case 'freeze':
      cluster.emit({ kind: 'command', node: primary, text: await cluster.runtime.freeze(primary) })
      try {
        return await untilTakeover(options)
      } finally {
        cluster.emit({ kind: 'command', node: primary, text: await cluster.runtime.thaw(primary) })
      }
    case 'isolated':
      return await isolatedUntilTakeover(cluster, options)
    case 'etcd':
      await runCompose(stack, ['kill', ...stack.etcd], limits)
      await pause(options.lastsMs, signal).finally(() => startEtcd(stack, { timeoutMs: COMMAND_TIMEOUT_MS }))
      return
    case 'switchover':
      return await switchedOver(stack, options)
    case 'spike':
      return await spike(cluster, stack, options)
  }
}

const COMMAND_TIMEOUT_MS = 120_000

async function isolatedUntilTakeover(cluster: Cluster, options: EventOptions): Promise<void> {
  const { primary } = options
  const { replication } = cluster.runtime.network
  if (replication === undefined) throw new Error('the stack runs on Docker, where nodes have a network of their own')
  cluster.emit({ kind: 'command', node: primary, text: await replication.disconnect(primary) })
  try {
    await untilTakeover(options)
  } finally {
    cluster.emit({ kind: 'command', node: primary, text: await replication.connect(primary) })
  }
}

/** Until another holds the lock and a while more, or until the limit: that nobody took over is seen in the record. */
async function untilTakeover({ primary, lock, limitMs, afterTakeoverMs, signal }: EventOptions): Promise<void> {
  const from = lock.changes.length
  const deadline = performance.now() + limitMs
  const takenOver = (): boolean =>
    lock.changes.slice(from).some(({ holder }) => holder !== undefined && holder !== primary)
  while (!takenOver() && performance.now() < deadline) await pause(LOOK_EVERY_MS, signal)
  await pause(afterTakeoverMs, signal)
}

const LOOK_EVERY_MS = 50

async function switchedOver(stack: PatroniStack, { primary, signal }: EventOptions): Promise<void> {
  const { members } = await readPatroni(stack, { signal })
  const to = members.find(member => !leads(member) && member.state === 'streaming')?.name ?? ''
  const { status, text } = await askForSwitchover(stack, { from: primary, to, timeoutMs: COMMAND_TIMEOUT_MS, signal })
  if (status === 200) return
  throw new LabError('ABORTED', `Patroni gave the switchover up (${status}): ${text}`, {
    hint: 'pnpm run stack status patroni shows who leads.',
  })
}

/** More than the machine has to give: each session computes, writes, and begins anew, until the time is over. */
async function spike(cluster: Cluster, stack: PatroniStack, { primary, lastsMs, signal }: EventOptions): Promise<void> {
  const { lab, database } = stack.topology
  const url = connectionUrl({ ...cluster.clientEndpoint(primary), ...lab, database })
  const servers = new NamedServers({ nodes: [url], connectTimeoutMs: COMMAND_TIMEOUT_MS })
  const deadline = performance.now() + lastsMs
  if (signal !== undefined) setMaxListeners(0, signal) // each session is one
  const work = async (): Promise<void> => {
    await using session = await servers.connect(servers.nodes[0]?.name ?? '', { applicationName: 'lab spike', signal })
    await session.query('CREATE TEMPORARY TABLE spike (n bigint)')
    while (performance.now() < deadline) {
      throwIfInterrupted(signal)
      await session.query('INSERT INTO spike SELECT sum(n) FROM generate_series(1, 200000) AS n, generate_series(1, 3)')
    }
  }
  // A session that ends early, as in a failover, is what is looked for; it is not an error of its own.
  await Promise.all(Array.from({ length: SPIKE_SESSIONS }, () => work().catch(() => throwIfInterrupted(signal))))
}

const SPIKE_SESSIONS = 60

export interface HealOptions {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** Whatever has happened: every node runs, one leads, every other streams from it, and each way leads there. */
export async function healStack(
  cluster: Cluster,
  stack: PatroniStack,
  { timeoutMs, signal }: HealOptions,
): Promise<StackWell> {
  const limits = { timeoutMs, intervalMs: 200, signal }
  const { replication } = cluster.runtime.network
  await startEtcd(stack, { timeoutMs, signal })
  for (const { name } of cluster.nodes) {
    const state = await cluster.runtime.state(name)
    if (state === 'frozen') await cluster.runtime.thaw(name)
    if (state === 'stopped') await cluster.runtime.start(name, { signal })
    if (replication !== undefined && !(await replication.isConnected(name))) await replication.connect(name)
  }
  const well = inOneLook(stackWell(stack), ({ primary }) => [serversAgree(cluster, primary, signal)])
  return await waitUntil(well, limits)
}

/** What Patroni says of others is up to loop_wait old; the servers know. */
const serversAgree = (cluster: Cluster, primary: string, signal: AbortSignal | undefined): Condition<undefined> => ({
  what: 'every server to say the same of its role as Patroni',
  observe: async () => {
    const all = await cluster.status(signal)
    const text = all.map(({ name, role }) => `${name} ${role}`).join(', ')
    const agrees = all.every(({ name, role }) => role === (name === primary ? 'primary' : 'standby'))
    return agrees ? met(undefined) : notMet(text)
  },
})
