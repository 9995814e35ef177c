/**
 * Everything is on this machine's own addresses.
 */
import type { NetworkControl } from '../runtime.ts'

const LOOPBACK = '127.0.0.1'

export const localNetwork: NetworkControl = {
  hostForNodes: async () => LOOPBACK,
  addressesOf: async () => [LOOPBACK],
  replication: undefined,
}
