/**
 * /metrics, for Prometheus: the service's own figures, and what the router knows when it is asked.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import client from 'prom-client'
import type { Router } from 'pg-failover-lab/router'

/** What came of a question to the cache. `skipped`: Redis was left alone, since it had just failed. */
export type CacheResult = 'hit' | 'miss' | 'error' | 'skipped'

export class Metrics {
  readonly #registry = new client.Registry()
  readonly #requests: client.Histogram<'method' | 'route' | 'status' | 'node'>
  readonly #cache: client.Counter<'result'>
  readonly #gaps: client.Counter
  readonly #outage: Outage

  constructor(router: Router) {
    const registers = [this.#registry]
    this.#outage = new Outage(router)
    this.#requests = new client.Histogram({
      name: 'users_http_request_seconds',
      help: 'Requests by route, status, and the server that answered: none where none was asked',
      labelNames: ['method', 'route', 'status', 'node'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    })
    this.#cache = new client.Counter({
      name: 'users_cache_total',
      help: 'Questions to the cache by what came of them',
      labelNames: ['result'],
      registers,
    })
    this.#gaps = new client.Counter({
      name: 'users_activity_gaps_total',
      help: 'How often the activity log was without its connection',
      registers,
    })
    registerRouter(router, { outage: this.#outage, registers })
    client.collectDefaultMetrics({ register: this.#registry })
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  async text(): Promise<string> {
    return await this.#registry.metrics()
  }

  request(
    { method, routeOptions }: FastifyRequest,
    { statusCode, servedBy = 'none', elapsedTime }: FastifyReply,
  ): void {
    const labels = { method, route: routeOptions.url ?? 'none', status: statusCode, node: servedBy }
    this.#requests.observe(labels, elapsedTime / 1_000)
  }

  cache(result: CacheResult): void {
    this.#cache.inc({ result })
  }

  gap(): void {
    this.#gaps.inc()
  }

  end(): void {
    this.#outage.end()
    this.#registry.clear()
  }
}

/** How long no primary was known: in all, and now. */
class Outage {
  readonly #router: Router
  #totalMs = 0
  #since: number | undefined = performance.now()
  changes = 0

  constructor(router: Router) {
    this.#router = router
    router.on('primary', this.#onPrimary).on('lost', this.#onLost)
  }

  get seconds(): number {
    const now = this.#since === undefined ? 0 : performance.now() - this.#since
    return (this.#totalMs + now) / 1_000
  }

  end(): void {
    this.#router.off('primary', this.#onPrimary).off('lost', this.#onLost)
  }

  readonly #onPrimary = (): void => {
    this.#totalMs = this.seconds * 1_000
    this.#since = undefined
    this.changes++
  }

  readonly #onLost = (): void => {
    this.#since ??= performance.now()
  }
}

interface RouterMetrics {
  readonly outage: Outage
  readonly registers: client.Registry[]
}

/** All read from the router when somebody asks: nothing is counted twice. */
function registerRouter(router: Router, { outage, registers }: RouterMetrics): void {
  const now = (name: string, help: string, value: () => number): void => {
    new client.Gauge({ name, help, registers, collect: gauge(value) })
  }
  now('users_primary_known', '1 while a primary is known', () => (router.status().primary === undefined ? 0 : 1))
  now('users_pool_waiting', 'Statements that wait for a router that is held', () => router.status().waiting)
  now('users_pool_in_flight', 'Writes that are sent, or wait for a connection', () => router.status().inFlight)
  total('users_outage_seconds_total', 'How long no primary was known, the start included', () => ({
    '': { '': outage.seconds },
  }))
  total('users_primary_changes_total', 'How often a primary was found', () => ({ '': { '': outage.changes } }))
  total('users_routed_reads_total', 'Reads by the server that answered', () => ({ node: router.status().reads }))
  total('users_routed_writes_total', 'Writes by outcome', () => ({ outcome: { ...router.status().writes } }))
  perStandby('users_standby_lag_bytes', 'Behind what the primary was last seen to have', ({ lag }) => lag.bytes)
  perStandby('users_standby_lag_seconds', 'How long it has been behind', ({ lag }) => lag.ms / 1_000)
  perStandby('users_standby_fit', '1 where it answers reads', ({ unfit }) => (unfit === undefined ? 1 : 0))

  /** By the values of one label; without one, the label's name is empty. */
  function total(
    name: string,
    help: string,
    values: () => Readonly<Record<string, Readonly<Record<string, number>>>>,
  ): void {
    const [label = ''] = Object.keys(values())
    new client.Counter({
      ...{ name, help, registers },
      labelNames: label === '' ? [] : [label],
      collect() {
        this.reset()
        for (const [key, value] of Object.entries(values()[label] ?? {}))
          this.inc(label === '' ? {} : { [label]: key }, value)
      },
    })
  }

  function perStandby(name: string, help: string, value: (standby: StandbyState) => number): void {
    new client.Gauge({
      ...{ name, help, registers },
      labelNames: ['node'],
      collect() {
        this.reset()
        for (const state of router.status().nodes)
          if (state.role === 'standby') this.set({ node: state.node }, value(state))
      },
    })
  }
}

type StandbyState = Extract<ReturnType<Router['status']>['nodes'][number], { readonly role: 'standby' }>

const gauge = (value: () => number) =>
  function (this: client.Gauge): void {
    this.set(value())
  }
