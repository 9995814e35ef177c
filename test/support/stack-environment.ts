/**
 * What the stack of Patroni needs beside the ports of the nodes.
 */
import { freePorts } from '../../src/temporary-cluster.ts'

const PORTS = [
  ...['PRIMARY_REST_PORT', 'REPLICA1_REST_PORT', 'REPLICA2_REST_PORT', 'PGBOUNCER_PORT'],
  ...['HAPROXY_PRIMARY_PORT', 'HAPROXY_STANDBY_PORT', 'HAPROXY_STATS_PORT'],
]

/** Its waits are Compose's, for health checks: at the usual rate. */
export async function stackEnvironment(): Promise<Record<string, string>> {
  const ports = await freePorts(PORTS.length)
  return {
    ...Object.fromEntries(PORTS.map((name, at) => [name, String(ports[at])])),
    HEALTHCHECK_INTERVAL: '1s',
  }
}
