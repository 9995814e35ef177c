/**
 * What became different from one look at the cluster to the next, a line each. Pure.
 */
import type { NodeStatus, StandbyStatus } from '../cluster/node-status.ts'
import { senderOf } from '../cluster/conditions.ts'

/** Roles, timelines, who streams from whom, paused replay, and slots that lose what they should retain. */
export function statusChanges(before: readonly NodeStatus[], after: readonly NodeStatus[]): string[] {
  const gone = before.filter(({ name }) => !after.some(now => now.name === name))
  return [
    ...gone.map(({ name }) => `${name} is no node of the cluster any more`),
    ...after.flatMap(now => {
      const then = before.find(({ name }) => name === now.name)
      const changes = [roleOf(now), ...streamingOf(now, after), ...pauseOf(now), ...slotsOf(now)]
      if (then === undefined) return changes.slice(0, 1)
      const known = new Set([roleOf(then), ...streamingOf(then, before), ...pauseOf(then), ...slotsOf(then)])
      // Of a node that answers again, only what is not as everybody expects it.
      const expected = new Set(then.role === 'standby' ? [] : [`replay goes on on ${now.name}`])
      return changes.filter(change => !known.has(change) && !expected.has(change))
    }),
  ]
}

function roleOf(status: NodeStatus): string {
  switch (status.role) {
    case 'primary':
      return `${status.name} is the primary on timeline ${status.timeline}`
    case 'standby':
      return `${status.name} is a standby on timeline ${status.timeline}`
    case 'unreachable':
      return status.state === 'running' ? `${status.name} does not answer` : `${status.name} is ${status.state}`
  }
}

const streamingOf = (status: NodeStatus, all: readonly NodeStatus[]): string[] =>
  status.role === 'standby' ? [`${status.name} ${streams(status, all)}`] : []

function streams(standby: StandbyStatus, all: readonly NodeStatus[]): string {
  if (standby.walReceiver?.status !== 'streaming') return 'does not stream'
  return `streams from ${senderOf(standby, all)?.name ?? 'a node that does not answer'}`
}

const pauseOf = (status: NodeStatus): string[] =>
  status.role === 'standby'
    ? [status.replayPaused ? `replay is paused on ${status.name}` : `replay goes on on ${status.name}`]
    : []

const slotsOf = (status: NodeStatus): string[] =>
  status.role === 'unreachable'
    ? []
    : status.slots
        .filter(({ walStatus }) => walStatus === 'unreserved' || walStatus === 'lost')
        .map(({ slotName, walStatus }) => `slot ${slotName} on ${status.name} is ${walStatus}`)
