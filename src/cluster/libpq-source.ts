import { formatConninfo } from '../postgres/conninfo.ts'
import type { Cluster } from './cluster.ts'

/** How programs that run beside a node reach another one, as the lab's role; the password is in their PGPASSFILE. */
export function libpqSource({ runtime, topology }: Cluster, node: string): string {
  const { host, port } = runtime.peerEndpoint(node)
  return formatConninfo(
    new Map([
      ['host', host],
      ['port', String(port)],
      ['user', topology.lab.user],
      ['dbname', topology.database],
      ['connect_timeout', '10'],
    ]),
  )
}
