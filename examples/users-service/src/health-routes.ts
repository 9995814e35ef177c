/**
 * /healthz: this process answers. /readyz: what it can do now, and how it knows.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Router, RouterStatus } from 'pg-failover-lab/router'
import { Type } from 'typebox'
import type { Context } from './context.ts'
import { messageOf, within } from './limit.ts'

/** Which answer counts: `reads` (the default) or `writes`. */
const Query = Type.Object({ for: Type.Union([Type.Literal('reads'), Type.Literal('writes')], { default: 'reads' }) })

const PROBE_MS = 1_000

interface Finding {
  readonly ready: boolean
  readonly basedOn: string
}

export const healthRoutes: FastifyPluginAsyncTypebox<Context> = async (app, context) => {
  const { router, preparation } = context

  // It asks no database: a restart of this process would mend none.
  app.get('/healthz', () => ({ status: 'alive', uptimeSeconds: Math.round(process.uptime()) }))

  app.get('/readyz', { schema: { querystring: Query } }, async (request, reply) => {
    const schema = { ready: preparation.isReady, basedOn: preparation.seen }
    const status = router.status()
    const findings = {
      schema,
      writes: writesIn(status),
      reads: await readsOf(router),
      service: {
        ready: !context.isEnding(),
        basedOn: context.isEnding() ? 'it was told to end' : 'it accepts requests',
      },
    }
    const wanted = request.query.for === 'writes' ? findings.writes : findings.reads
    const ready = schema.ready && wanted.ready && findings.service.ready
    return await reply
      .code(ready ? 200 : 503)
      .send({ ready, for: request.query.for, ...findings, nodes: nodesIn(status) })
  })
}

/** From the router's last look at every server, which is half a second old at most while they answer. */
function writesIn({ primary, why, nodes }: RouterStatus): Finding {
  const found = nodes.find(({ node }) => node === primary)
  if (found?.role !== 'primary') return { ready: false, basedOn: `no primary: ${why ?? 'none was found'}` }
  return { ready: true, basedOn: `${found.node} said that it is the primary, on timeline ${found.timeline}` }
}

/** By a read. */
async function readsOf(router: Router): Promise<Finding> {
  const startedAt = performance.now()
  try {
    const { node, role } = await within(PROBE_MS, 'SELECT 1', router.read('SELECT 1'))
    const ms = (performance.now() - startedAt).toFixed(1)
    return { ready: true, basedOn: `${node} (${role}) answered SELECT 1 in ${ms} ms` }
  } catch (error) {
    return { ready: false, basedOn: messageOf(error) }
  }
}

/** In one line each, as the router sees them. */
const nodesIn = ({ nodes }: RouterStatus): Readonly<Record<string, string>> =>
  Object.fromEntries(
    nodes.map(state => {
      if (state.role === 'unreachable') return [state.node, `unreachable: ${state.why}`]
      if (state.role !== 'standby') return [state.node, `${state.role}, on timeline ${state.timeline}`]
      const behind = `${state.lag.bytes} bytes and ${Math.round(state.lag.ms)} ms behind`
      return [state.node, `standby, ${behind}${state.unfit === undefined ? '' : `; answers no reads: ${state.unfit}`}`]
    }),
  )
