/**
 * The commands that change how many replicas there are: add-replica, remove-replica.
 * They are not called add and remove: `pnpm add` without `run` would install a package of that name.
 */
import { addReplica, removeReplica } from '../operations/members.ts'
import { formatMs } from '../report/format.ts'
import { tellStatus } from './tell-status.ts'
import { command } from './command.ts'
import { UP_TIMEOUT_MS } from './commands.ts'

export const addReplicaCommand = command({
  usage: 'add-replica [name]',
  examples: ['add-replica', 'add-replica reports'],
  summary: 'add a replica while everything runs, up to ten; remove-replica or down ends it',
  options: {},
  run: async ({ openLab, words: [name], narrate, interrupt: { signal } }) => {
    const { cluster } = await openLab()
    const startedAt = performance.now()
    const added = await addReplica(cluster, { name, timeoutMs: UP_TIMEOUT_MS, signal })
    narrate.say(`${added.name} streams after ${formatMs(performance.now() - startedAt)}`)
    return await tellStatus(narrate, cluster, signal)
  },
})

export const removeReplicaCommand = command({
  usage: 'remove-replica <node>',
  examples: ['remove-replica replica3'],
  summary: 'remove a replica that was added: its server, its data and its slot',
  options: {},
  run: async ({ openLab, words: [node = ''], narrate, interrupt: { signal } }) => {
    const { cluster } = await openLab()
    await removeReplica(cluster, node, { timeoutMs: UP_TIMEOUT_MS, signal })
    narrate.say(`${node} is removed`)
    return await tellStatus(narrate, cluster, signal)
  },
})
