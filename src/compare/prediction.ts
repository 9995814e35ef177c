/**
 * What the timers say beforehand of the time in which nobody can write. Pure.
 *
 * The formula is Patroni's: a lock that is not renewed is free after `ttl`; it was last renewed up to `loop_wait` before; who looks
 * each `loop_wait` sees it that much later. https://patroni.readthedocs.io/en/latest/dynamic_configuration.html
 */
import type { Change } from '../measure/takeover.ts'
import type { StackEvent } from '../stack/events.ts'
import type { StackTimers } from '../stack/settings.ts'
import type { CompareWay } from './plan.ts'

export interface Prediction {
  /** Milliseconds; null: any. */
  readonly minMs: number
  readonly maxMs: number | null
  /** What is to come of it. */
  readonly change: readonly Change[]
  /** The upper limit, in the words of the timers. */
  readonly formula: string
}

/**
 * What no timer says: how long a small and idle database of this lab may take at most on a machine that is busy, in seconds.
 * Assumed, not measured: what is outside is told, and can be looked at.
 */
const ASSUMED_S = { promotion: 3, shutdown: 5, restart: 10, etcd: 5, client: 1 } as const

export interface PredictionOptions {
  readonly timers: StackTimers
  readonly way: Exclude<CompareWay, 'lab'>
  /** For how long etcd is away. Milliseconds. */
  readonly lastsMs: number
  /** For how long a frozen primary stands still when another leads already: a client without a deadline waits for it. Milliseconds. */
  readonly afterTakeoverMs: number
}

/** A sum of named parts in seconds. */
type Parts = Readonly<Record<string, number>>

export function predict(event: StackEvent, options: PredictionOptions): Prediction {
  const { timers, way, lastsMs, afterTakeoverMs } = options
  const { ttl, loop_wait, retry_timeout, primary_start_timeout } = timers.patroni
  const thaw: Parts = way === 'patient' ? { frozen: afterTakeoverMs / 1000 } : {}
  const after = { ...thaw, promotion: ASSUMED_S.promotion, ...routeOf(timers, way), client: ASSUMED_S.client }
  const lease = { ttl, loop_wait }
  switch (event) {
    case 'killed':
    case 'freeze':
      return prediction(ttl - loop_wait, { ...lease, ...after }, ['failover'])
    case 'postmaster':
      return primary_start_timeout === 0
        ? prediction(0, { '2 × loop_wait': 2 * loop_wait, ...after }, ['failover', 'restart'])
        : prediction(0, { '2 × loop_wait': 2 * loop_wait, restart: ASSUMED_S.restart, ...after }, [
            'restart',
            'failover',
          ])
    case 'stop':
    case 'switchover':
      return prediction(0, { shutdown: ASSUMED_S.shutdown, loop_wait, ...after }, ['failover'])
    case 'isolated':
      // It gives up by itself after loop_wait + retry_timeout at the latest: until then it serves.
      return prediction(ttl - 2 * loop_wait - retry_timeout, { ...lease, ...after }, ['failover'])
    case 'etcd':
      return prediction(
        lastsMs / 1000 - loop_wait - retry_timeout,
        {
          away: lastsMs / 1000,
          etcd: ASSUMED_S.etcd,
          '2 × loop_wait': 2 * loop_wait,
          restart: ASSUMED_S.restart,
          ...after,
        },
        ['failover', 'restart'],
      )
    case 'spike':
      return { minMs: 0, maxMs: null, change: ['none'], formula: 'no change of the primary' }
  }
}

/** Until what stands in front of the primary leads to the new one. */
function routeOf({ haproxy, pgbouncer }: StackTimers, way: CompareWay): Parts {
  if (way !== 'haproxy' && way !== 'pgbouncer') return {}
  const { inter, fall, rise } = haproxy
  const checks = { 'fall × inter': fall * inter, 'rise × inter': rise * inter }
  return way === 'haproxy' ? checks : { ...checks, server_login_retry: pgbouncer.server_login_retry }
}

const prediction = (minS: number, parts: Parts, change: readonly Change[]): Prediction => ({
  minMs: Math.max(0, minS) * 1000,
  maxMs: Object.values(parts).reduce((sum, part) => sum + part, 0) * 1000,
  change,
  formula: Object.entries(parts)
    .map(([name, part]) => `${name} ${part} s`)
    .join(' + '),
})
