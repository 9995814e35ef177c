/**
 * The timers that decide how long a failover takes, all of them together, and how a stack that is up is given others.
 */
import { LabError } from '../errors.ts'
import { met, notMet, pause, waitUntil, type Condition } from '../wait.ts'
import { changePatroni } from './rest.ts'
import { runCompose, type PatroniStack } from './stack.ts'
import { readLock } from './status.ts'
import type { StackUpOptions } from './up.ts'
import { stackWell } from './well.ts'

/** In seconds, as their own configuration has them. */
export interface StackTimers {
  readonly patroni: {
    readonly ttl: number
    readonly loop_wait: number
    readonly retry_timeout: number
    readonly primary_start_timeout: number
  }
  readonly haproxy: {
    readonly inter: number
    /** Between checks while a server changes its state. */
    readonly fastinter: number
    readonly fall: number
    readonly rise: number
  }
  readonly pgbouncer: {
    readonly server_login_retry: number
    readonly server_connect_timeout: number
    readonly query_wait_timeout: number
    readonly server_check_delay: number
    /** Milliseconds. */
    readonly tcp_user_timeout: number
    readonly dns_max_ttl: number
  }
}

export const stackSettings = ['default', 'tuned'] as const
export type StackSetting = (typeof stackSettings)[number]

/**
 * `default`: each project's own: Patroni's, the sample haproxy.cfg that Patroni ships, PgBouncer's.
 * `tuned`: as short as Patroni lets a ttl be, and everything behind it to match.
 * https://patroni.readthedocs.io/en/latest/dynamic_configuration.html https://www.pgbouncer.org/config.html
 */
export const STACK_TIMERS: Readonly<Record<StackSetting, StackTimers>> = {
  default: {
    patroni: { ttl: 30, loop_wait: 10, retry_timeout: 10, primary_start_timeout: 300 },
    haproxy: { inter: 3, fastinter: 3, fall: 3, rise: 2 },
    pgbouncer: {
      server_login_retry: 15,
      server_connect_timeout: 15,
      query_wait_timeout: 120,
      server_check_delay: 30,
      tcp_user_timeout: 0,
      dns_max_ttl: 15,
    },
  },
  tuned: {
    patroni: { ttl: 20, loop_wait: 2, retry_timeout: 5, primary_start_timeout: 0 },
    haproxy: { inter: 1, fastinter: 0.5, fall: 2, rise: 1 },
    pgbouncer: {
      server_login_retry: 1,
      server_connect_timeout: 2,
      query_wait_timeout: 10,
      server_check_delay: 0,
      tcp_user_timeout: 5000,
      dns_max_ttl: 1,
    },
  },
}

/**
 * Gives a stack that is well these timers: Patroni's by its REST interface, the others by making their containers anew.
 * @returns the stack as it is by then: for everything that runs `docker compose` from now on
 * @throws LabError UNREACHABLE, DOCKER_FAILED, TIMEOUT, INTERRUPTED
 */
export async function applyTimers(
  stack: PatroniStack,
  timers: StackTimers,
  options: StackUpOptions,
): Promise<PatroniStack> {
  const limits = { timeoutMs: options.timeoutMs, intervalMs: 200, signal: options.signal }
  const variables = { ...stack.variables, ...variablesOf(timers) }
  const changed = { ...stack, variables, pgbouncer: { ...stack.pgbouncer, ...queryWaitOf(timers) } }
  const before = (await readLock(stack, options.signal))?.ttlS ?? 0
  await changePatroni(stack, timers.patroni, options)
  await runCompose(changed, ['up', '--detach', '--no-deps', 'haproxy', 'pgbouncer'], options)
  await waitUntil(lockHasTtl(changed, timers.patroni.ttl), limits)
  // Each member reads them at the end of its loop, and says nothing of it: one loop of the longest that it may have had.
  if (before !== timers.patroni.ttl) await pause(LONGEST_LOOP_MS, options.signal)
  await waitUntil(stackWell(changed), limits)
  return changed
}

const LONGEST_LOOP_MS = 10_000

const queryWaitOf = ({ pgbouncer }: StackTimers): { readonly queryWaitMs: number } => ({
  queryWaitMs: pgbouncer.query_wait_timeout * 1000,
})

/** As stacks/patroni/compose.yml names them; HAProxy takes milliseconds. */
function variablesOf({ haproxy, pgbouncer }: StackTimers): Record<string, string> {
  return {
    HAPROXY_INTER: `${haproxy.inter * 1000}ms`,
    HAPROXY_FASTINTER: `${haproxy.fastinter * 1000}ms`,
    HAPROXY_FALL: String(haproxy.fall),
    HAPROXY_RISE: String(haproxy.rise),
    PGBOUNCER_SERVER_LOGIN_RETRY: String(pgbouncer.server_login_retry),
    PGBOUNCER_SERVER_CONNECT_TIMEOUT: String(pgbouncer.server_connect_timeout),
    PGBOUNCER_QUERY_WAIT_TIMEOUT: String(pgbouncer.query_wait_timeout),
    PGBOUNCER_SERVER_CHECK_DELAY: String(pgbouncer.server_check_delay),
    PGBOUNCER_TCP_USER_TIMEOUT: String(pgbouncer.tcp_user_timeout),
    PGBOUNCER_DNS_MAX_TTL: String(pgbouncer.dns_max_ttl),
  }
}

const lockHasTtl = (stack: PatroniStack, ttl: number): Condition<undefined> => ({
  what: `the leader's lock to have a ttl of ${ttl} s`,
  observe: async signal => {
    const lock = await readLock(stack, signal).catch((error: unknown) => {
      if (!(error instanceof LabError) || error.code === 'INTERRUPTED') throw error
      return undefined
    })
    return lock?.ttlS === ttl
      ? met(undefined)
      : notMet(lock === undefined ? 'nobody holds it' : `it has ${lock.ttlS} s`)
  },
})
