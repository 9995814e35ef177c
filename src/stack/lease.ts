/**
 * The leader's lock as a client feels it. It is a lease in etcd: it ends by itself unless the primary's Patroni renews it, and only
 * when it has ended another node may lead. The lab's cluster is Patroni's for a while, and is given back.
 */
import { startWriter, readSurvivors } from '../client/writer.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { hasRole, primaryAmong } from '../cluster/conditions.ts'
import { undoable } from '../dispose.ts'
import { crash } from '../faults/power.ts'
import { checkHistory, type Verdict } from '../history/check.ts'
import { longestOutage } from '../measure/outage.ts'
import { countsOf, type WriteCounts } from '../measure/write-counts.ts'
import { up } from '../operations/up.ts'
import { met, notMet, pause, waitUntil, type Condition } from '../wait.ts'
import { stackDown } from './down.ts'
import { startEtcd } from './etcd.ts'
import { LockWatch } from './lock-watch.ts'
import { STACK_TIMERS } from './settings.ts'
import { readStack, runCompose, type PatroniStack } from './stack.ts'
import { readLock, type LeaderLock } from './status.ts'
import { stackUp, type StackUpOptions } from './up.ts'

/** Of Patroni, in seconds. https://patroni.readthedocs.io/en/latest/dynamic_configuration.html */
export interface LeaseTimers {
  readonly ttl: number
  readonly loopWait: number
  readonly retryTimeout: number
}

const { ttl, loop_wait: loopWait, retry_timeout: retryTimeout } = STACK_TIMERS.tuned.patroni
/** The shortest ttl that Patroni takes, and `loop_wait + 2 × retry_timeout` within it. */
export const SHORT_LEASE: LeaseTimers = { ttl, loopWait, retryTimeout }

/**
 * The primary's last renewal was up to loop_wait before its end, so the lease ends within this; a standby hears of that at once, or looks
 * within loop_wait, and is promoted. Milliseconds from the kill to where it has the lock. Pure.
 */
export const predictedTakeover = ({
  ttl,
  loopWait,
}: LeaseTimers): { readonly fromMs: number; readonly toMs: number } => ({
  fromMs: (ttl - loopWait) * 1000,
  toMs: (ttl + loopWait) * 1000,
})

export interface Managed extends AsyncDisposable {
  readonly stack: PatroniStack
}

/**
 * Has Patroni adopt the cluster, with these timers; disposing of what it returns gives it back, whatever has become of it.
 * @throws LabError NO_RUNTIME without Docker, USAGE, IMAGE_UNAVAILABLE, NOT_READY where nothing was changed; those of {@link stackUp}
 */
export async function managedForAWhile(
  cluster: Cluster,
  { timers, ...options }: StackUpOptions & { readonly timers: LeaseTimers },
): Promise<Managed> {
  const read = await readStack(cluster)
  const variables = {
    ...{ PATRONI_TTL: String(timers.ttl), PATRONI_LOOP_WAIT: String(timers.loopWait) },
    PATRONI_RETRY_TIMEOUT: String(timers.retryTimeout),
  }
  const stack = { ...read, variables: { ...read.variables, ...variables } }
  const managed = await undoable(
    () => stackUp(cluster, stack, options),
    () => giveBack(cluster, stack, options.timeoutMs),
  )
  return { stack, [Symbol.asyncDispose]: () => managed[Symbol.asyncDispose]() }
}

/** Not interrupted: this is what follows an interruption. */
async function giveBack(cluster: Cluster, stack: PatroniStack, timeoutMs: number): Promise<void> {
  if ((await cluster.runtime.manager()) !== undefined) {
    await stackDown(cluster, stack, { timeoutMs })
    return
  }
  await runCompose(stack, ['rm', '--stop', '--force', 'pgbouncer', 'haproxy', ...stack.etcd], { timeoutMs })
  await up(cluster, { timeoutMs })
}

/** A look at the lock: milliseconds since the first look, or since the primary was killed. */
export interface LeaseLook {
  readonly atMs: number
  /** Undefined while nobody holds it. */
  readonly lock: LeaderLock | undefined
}

export interface LeaseOptions {
  /** Limit in milliseconds of each thing that is waited for. */
  readonly timeoutMs: number
  readonly onLook?: ((look: LeaseLook) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** Looks at the lock once a second. @throws LabError DOCKER_FAILED, INTERRUPTED */
export async function lookAtLease(
  stack: PatroniStack,
  { looks, onLook, signal }: Pick<LeaseOptions, 'onLook' | 'signal'> & { readonly looks: number },
): Promise<readonly LeaseLook[]> {
  const startedAt = performance.now()
  const seen: LeaseLook[] = []
  for (let at = 0; at < looks; at++) {
    if (at > 0) await pause(1000, signal)
    const look = { lock: await readLock(stack, signal), atMs: performance.now() - startedAt }
    seen.push(look)
    onLook?.(look)
  }
  return seen
}

/** Milliseconds from the kill. */
export interface LeaseRun {
  readonly oldPrimary: string
  readonly newPrimary: string
  readonly timeline: { readonly before: number; readonly after: number }
  /** When nobody held the lock any more, as etcd told. */
  readonly freeAfterMs: number
  /** When another node had it. */
  readonly takenAfterMs: number
  /** The longest time without an acknowledged write. */
  readonly outageMs: number | null
  readonly writes: WriteCounts
  readonly verdict: Verdict
  readonly why: string
}

const CLIENT = { ratePerSecond: 50, connections: 4 }
const WRITES = 50
const LOOK_EVERY_MS = 2_000

/** Kills the primary's node while a client writes, and waits until another one leads. The killed one stays down. */
export async function leaseRunsOut(cluster: Cluster, stack: PatroniStack, options: LeaseOptions): Promise<LeaseRun> {
  const { signal } = options
  const before = await cluster.primary(signal)
  await using watch = await LockWatch.start(stack, { signal })
  await using writer = await startWriter(cluster, { ...CLIENT, signal })
  await writer.acknowledges(WRITES, options)
  const killedAt = performance.now()
  await crash(cluster, before.name)
  const taken = await waitUntil(takenByAnother(stack, { watch, killedAt, old: before.name, ...options }), {
    ...options,
    intervalMs: LOOK_EVERY_MS,
  })
  await writer.acknowledges(WRITES, options)
  const history = await writer.stop()
  const after = await waitUntil(somePrimary(cluster), options)
  const findings = checkHistory(history, await readSurvivors(cluster, history.run, signal), { faultHappened: true })
  const free = watch.changes.find(({ at, holder }) => at > killedAt && holder === undefined) ?? taken
  return {
    ...{ oldPrimary: before.name, newPrimary: after.name },
    timeline: { before: before.timeline, after: after.timeline },
    ...{ freeAfterMs: free.at - killedAt, takenAfterMs: taken.at - killedAt },
    outageMs: longestOutage(history, killedAt),
    writes: countsOf(findings),
    ...{ verdict: findings.verdict, why: findings.why },
  }
}

interface Watched extends LeaseOptions {
  readonly watch: LockWatch
  readonly killedAt: number
  readonly old: string
}

const takenByAnother = (
  stack: PatroniStack,
  { watch, killedAt, old, onLook }: Watched,
): Condition<{ readonly at: number }> => ({
  what: "another node to take the leader's lock",
  observe: async signal => {
    const taken = watch.changes.find(({ at, holder }) => at > killedAt && holder !== undefined && holder !== old)
    if (taken !== undefined) return met(taken)
    const lock = await readLock(stack, signal)
    onLook?.({ atMs: performance.now() - killedAt, lock })
    return notMet(lock === undefined ? 'nobody holds it' : `${lock.holder} holds it for another ${lock.endsInS} s`)
  },
})

const somePrimary = (cluster: Cluster): Condition<{ readonly name: string; readonly timeline: number }> => ({
  what: 'a node to accept writes',
  observe: async signal => primaryAmong(await cluster.status(signal)),
})

/** Milliseconds. */
export interface WithoutEtcd {
  readonly primary: string
  /** From the end of etcd until the primary, which is well, answered as a standby. */
  readonly demotedAfterMs: number
  /** From the start of etcd until a node accepted writes. */
  readonly backAfterMs: number
}

/** Kills etcd, waits until nobody accepts writes, and starts it again. */
export async function withoutEtcd(
  cluster: Cluster,
  stack: PatroniStack,
  options: Omit<LeaseOptions, 'onLook'>,
): Promise<WithoutEtcd> {
  const { name: primary } = await cluster.primary(options.signal)
  const killedAt = performance.now()
  await runCompose(stack, ['kill', ...stack.etcd], options)
  await waitUntil(hasRole(cluster, primary, 'standby'), options)
  const demotedAfterMs = performance.now() - killedAt
  const startedAt = performance.now()
  await startEtcd(stack, options)
  await waitUntil(somePrimary(cluster), options)
  return { primary, demotedAfterMs, backAfterMs: performance.now() - startedAt }
}
