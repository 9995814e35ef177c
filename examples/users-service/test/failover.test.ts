/**
 * The service, while its cluster fails: under load over HTTP, and judged by what is in the table afterwards.
 */
import type { TestCluster } from 'pg-failover-lab'
import { clusterTest } from 'pg-failover-lab/vitest'
import { client, survivorsOf, type Seen } from './client.ts'
import { listening, type Listening } from './support.ts'

const test = clusterTest()

// What these came to on two cores is in README.md; these are for a machine that does much else, too.
const LIMIT_MS = 10_000

test('a crash: nothing is lost or made twice, and who writes sees it', async ({ cluster, expect }) => {
  await using service = await listening(cluster)
  const seen: Seen = { answers: {}, notSeen: [], readFrom: {} }
  await using load = cluster.load({ ratePerSecond: 100, requestTimeoutMs: LIMIT_MS, send: client(service.url, seen) })
  await load.acknowledges(100)
  await cluster.waitForCatchUp()
  await cluster.crash()
  const during = await stateIn(service)
  await cluster.failover({ fault: 'none' })
  await load.acknowledges(100)
  const outcome = await load.judge({ survivors: () => survivorsOf(cluster) })
  console.log(during, seen, outcome.writes, outcome.outageMs)
})

/** What the service says of itself. */
async function stateIn({ url }: Listening): Promise<object> {
  const [ready, writes, metrics] = await Promise.all([
    fetch(`${url}/readyz`),
    fetch(`${url}/readyz?for=writes`),
    fetch(`${url}/metrics`),
  ])
  return {
    reads: [ready.status, await ready.json()],
    writes: writes.status,
    metrics: (await metrics.text()).split('\n').filter(l => l.startsWith('users_') && !l.includes('bucket')),
  }
}
