/**
 * What there is of the stack now: who leads, how old its lock is, how far the others are behind, and where clients are led.
 */
import { LabError, throwIfInterrupted } from '../errors.ts'
import type { Interruptible } from '../runtime/runtime.ts'
import { readWays, type Ways } from './haproxy.ts'
import { readPaused } from './pgbouncer.ts'
import { leads, readPatroni, readPromotions, type PatroniMember } from './rest.ts'
import { runCompose, type PatroniStack } from './stack.ts'

/** Who leads is who holds a lease in etcd: it ends by itself unless it is renewed, each loop_wait. Seconds. */
export interface LeaderLock {
  readonly holder: string
  /** Patroni's ttl. */
  readonly ttlS: number
  readonly endsInS: number
  /** Since it was renewed, as etcd counts: in whole seconds. */
  readonly ageS: number
}

/** The `--json` document. */
export interface StackStatus {
  readonly version: 1
  readonly stack: 'patroni'
  readonly scope: string
  readonly members: readonly PatroniMember[]
  /** Null where nobody leads, or etcd does not answer. */
  readonly lock: LeaderLock | null
  /** When Patroni promoted the primary, ISO 8601; null where it led from the beginning. */
  readonly leadsSince: string | null
  /** Null where it does not answer. */
  readonly haproxy: Ways | null
  /** Whether PgBouncer lets clients wait; null where it does not answer. */
  readonly paused: boolean | null
  /** As patronictl prints it. */
  readonly list: string
}

const ASK_TIMEOUT_MS = 20_000

/** @throws LabError UNREACHABLE when Patroni answers on no node; INTERRUPTED */
export async function readStackStatus(stack: PatroniStack, { signal }: Interruptible = {}): Promise<StackStatus> {
  const { members } = await readPatroni(stack, { signal })
  const [promotions, lock, ways, paused, list] = await Promise.all([
    readPromotions(stack, { signal }),
    readLock(stack, signal).catch(unlessInterrupted(signal)),
    readWays(stack, signal),
    readPaused(stack, signal),
    patronictlList(stack, signal).catch(unlessInterrupted(signal)),
  ])
  const holder = members.find(leads)?.name
  const last = promotions.at(-1)
  return {
    ...{ version: 1, stack: 'patroni', scope: stack.scope, members },
    lock: lock ?? null,
    leadsSince: last?.[4] === holder ? (last?.[3] ?? null) : null,
    haproxy: ways ?? null,
    paused: paused ?? null,
    list: list ?? '',
  }
}

const unlessInterrupted =
  (signal: AbortSignal | undefined) =>
  (error: unknown): undefined => {
    throwIfInterrupted(signal)
    if (!(error instanceof LabError)) throw error
  }

/** Two questions to etcd in one container: the key, and its lease. */
export async function readLock(stack: PatroniStack, signal: AbortSignal | undefined): Promise<LeaderLock | undefined> {
  const script = `etcdctl get /service/${stack.scope}/leader -w json; echo
    lease=$(etcdctl get /service/${stack.scope}/leader -w fields | sed -n 's/^"Lease" : //p')
    [ -z "$lease" ] || etcdctl lease timetolive "$(printf %x "$lease")" -w json`
  const args = ['exec', '-T', stack.etcd[0] ?? 'etcd', 'sh', '-c', script] as const
  const { stdout } = await runCompose(stack, [...args], { timeoutMs: ASK_TIMEOUT_MS, signal })
  return parseLock(stdout)
}

/** Pure. */
export function parseLock(text: string): LeaderLock | undefined {
  const [key, lease] = text
    .split('\n')
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line) as unknown) as [
    { kvs?: { value: string }[] }?,
    { 'granted-ttl': number; ttl: number }?,
  ]
  const value = key?.kvs?.[0]?.value
  if (value === undefined || lease === undefined || lease.ttl < 0) return undefined
  const ttlS = lease['granted-ttl']
  const holder = Buffer.from(value, 'base64').toString()
  return { holder, ttlS, endsInS: lease.ttl, ageS: ttlS - lease.ttl }
}

async function patronictlList(stack: PatroniStack, signal: AbortSignal | undefined): Promise<string> {
  const [node = ''] = stack.rest.keys()
  const limits = { timeoutMs: ASK_TIMEOUT_MS, signal }
  return (await runCompose(stack, ['exec', '-T', node, 'patronictl', 'list'], limits)).stdout.trimEnd()
}
