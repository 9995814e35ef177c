/**
 * What a node says that it is, and which of them is which. Pure.
 */
import { LabError } from '../errors.ts'
import type { PrimaryServer, StandbyServer } from '../postgres/status.ts'
import type { NodeState } from '../runtime/runtime.ts'

export interface NodeAddress {
  readonly name: string
  readonly host: string
  readonly port: number
}

export type PrimaryStatus = NodeAddress & PrimaryServer
export type StandbyStatus = NodeAddress & StandbyServer
/** A node that does not answer is an answer, too. */
export type UnreachableStatus = NodeAddress & {
  readonly role: 'unreachable'
  readonly state: NodeState
  readonly reason: string
}
export type NodeStatus = PrimaryStatus | StandbyStatus | UnreachableStatus

/**
 * The one primary among them. @throws LabError NO_PRIMARY, SPLIT_BRAIN, NOT_RUNNING
 * @example
 * ```ts
 * const { name, timeline } = primaryOf(await cluster.status())
 * ```
 */
export function primaryOf(all: readonly NodeStatus[]): PrimaryStatus {
  const [primary, ...more] = all.filter(status => status.role === 'primary')
  if (more.length > 0) {
    throw new LabError(
      'SPLIT_BRAIN',
      `more than one node accepts writes: ${[primary, ...more].map(s => s?.name).join(', ')}`,
      {
        hint: 'pnpm run up keeps the one on the newest timeline, and makes the others its standbys.',
      },
    )
  }
  if (primary !== undefined) return primary
  if (all.every(({ role }) => role === 'unreachable')) {
    throw new LabError('NOT_RUNNING', `no node answers: ${all.map(status => status.name).join(', ')}`, {
      hint: 'Bring the cluster up with pnpm run up.',
    })
  }
  throw new LabError(
    'NO_PRIMARY',
    `no node that answers accepts writes: ${all.map(({ name, role }) => `${name} is ${role}`).join(', ')}`,
    {
      hint: 'pnpm run failover promotes a standby; pnpm run up does that, and brings everything else back.',
    },
  )
}

/**
 * Those of them that answer as standbys.
 * @example
 * ```ts
 * const delayed = standbysOf(await cluster.status()).filter(standby => standby.recoveryMinApplyDelayMs > 0)
 * ```
 */
export const standbysOf = (all: readonly NodeStatus[]): StandbyStatus[] =>
  all.filter(status => status.role === 'standby')

/** The node of that name, which answers. @throws LabError UNREACHABLE */
export function requireAnswer(all: readonly NodeStatus[], name: string): PrimaryStatus | StandbyStatus {
  const status = all.find(candidate => candidate.name === name)
  if (status !== undefined && status.role !== 'unreachable') return status
  throw new LabError('UNREACHABLE', `${name} is ${status?.state}, and does not answer`, {
    hint: 'pnpm run status shows which nodes answer; pnpm run up brings the cluster up.',
  })
}

/** The standby of that name. @throws LabError UNKNOWN_NODE when it is the primary; UNREACHABLE */
export function requireStandby(all: readonly NodeStatus[], name: string): StandbyStatus {
  const status = requireAnswer(all, name)
  if (status.role === 'standby') return status
  throw new LabError('UNKNOWN_NODE', `${name} is the primary, and no standby`, {
    hint: 'pnpm run status shows which nodes are standbys.',
  })
}
