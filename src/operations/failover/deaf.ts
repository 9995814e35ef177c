/**
 * Who goes on listening to the old primary. Pure.
 */
import { senderOf } from '../../cluster/conditions.ts'
import { standbysOf, type NodeStatus } from '../../cluster/node-status.ts'
import type { Endpoint } from '../../runtime/runtime.ts'

/**
 * The standbys which say that they stream, while no node says that it sends to them, and it is not the new primary that they
 * have found. `primary` is where the others reach that one.
 */
export function deafStandbys(all: readonly NodeStatus[], primary: Endpoint): string[] {
  return standbysOf(all)
    .filter(
      standby =>
        standby.walReceiver?.status === 'streaming' &&
        senderOf(standby, all) === undefined &&
        !(standby.walReceiver.senderHost === primary.host && standby.walReceiver.senderPort === primary.port),
    )
    .map(({ name }) => name)
}
