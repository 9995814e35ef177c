/**
 * Patroni's REST interface, as far as it is needed here.
 * https://patroni.readthedocs.io/en/latest/rest_api.html
 */
import { LabError, messageOf, throwIfInterrupted } from '../errors.ts'
import type { Interruptible } from '../runtime/runtime.ts'
import { met, notMet, type Condition } from '../wait.ts'
import type { PatroniStack } from './stack.ts'

/** As `GET /cluster` has it. `leader` is Patroni's word for who holds the lock. */
export interface PatroniMember {
  readonly name: string
  readonly role: string
  /** `running` of a primary; `streaming` of a standby that is well. */
  readonly state: string
  readonly timeline?: number
  /** Bytes behind the primary; up to loop_wait old. Patroni says `unknown` of a member that does not answer. */
  readonly lag?: number | 'unknown'
}

export interface PatroniCluster {
  readonly scope: string
  readonly members: readonly PatroniMember[]
  readonly pause?: boolean
}

const ANSWER_TIMEOUT_MS = 3_000

/** What whichever node answers first says of all. @throws LabError UNREACHABLE, INTERRUPTED */
export async function readPatroni(stack: PatroniStack, { signal }: Interruptible = {}): Promise<PatroniCluster> {
  return JSON.parse(await askAny(stack, '/cluster', signal)) as PatroniCluster
}

/** One promotion: the timeline that it ended, where, why, when, and who was promoted. */
export type PatroniPromotion = readonly [timeline: number, lsn: number, reason: string, at?: string, promoted?: string]

/** @throws LabError UNREACHABLE, INTERRUPTED */
export async function readPromotions(
  stack: PatroniStack,
  { signal }: Interruptible = {},
): Promise<readonly PatroniPromotion[]> {
  return JSON.parse(await askAny(stack, '/history', signal)) as readonly PatroniPromotion[]
}

/** What all members have in common, as etcd keeps it. @throws LabError UNREACHABLE, INTERRUPTED */
export async function readConfig(
  stack: PatroniStack,
  { signal }: Interruptible = {},
): Promise<Readonly<Record<string, unknown>>> {
  return JSON.parse(await askAny(stack, '/config', signal)) as Readonly<Record<string, unknown>>
}

async function askAny(stack: PatroniStack, path: string, signal: AbortSignal | undefined): Promise<string> {
  const silent: string[] = []
  for (const [name, { host, port }] of stack.rest) {
    try {
      const answer = await fetch(`http://${host}:${port}${path}`, { signal: limited(ANSWER_TIMEOUT_MS, signal) })
      if (answer.ok) return await answer.text()
      silent.push(`${name} answers ${answer.status}`)
    } catch (error) {
      throwIfInterrupted(signal)
      silent.push(`${name}: ${reasonOf(error)}`)
    }
  }
  throw new LabError('UNREACHABLE', `Patroni answers on no node: ${silent.join('; ')}`, {
    hint: 'pnpm run stack up patroni starts it.',
  })
}

/** What Patroni said to a switchover: 200 it is done, 412 it is not possible, 503 it failed or is not known. */
export interface SwitchoverAnswer {
  readonly status: number
  readonly text: string
}

/**
 * Asks for a switchover, and returns when Patroni says what became of it: it looks once a second.
 * @throws LabError UNREACHABLE, INTERRUPTED: then it is not known
 */
export async function askForSwitchover(
  stack: PatroniStack,
  { from, to, timeoutMs, signal }: Interruptible & { from: string; to: string; timeoutMs: number },
): Promise<SwitchoverAnswer> {
  const { host, port } = stack.rest.get(from) ?? { host: '', port: 0 }
  try {
    const answer = await fetch(`http://${host}:${port}/switchover`, {
      method: 'POST',
      headers: headersOf(stack),
      body: JSON.stringify({ leader: from, candidate: to }),
      signal: limited(timeoutMs, signal),
    })
    return { status: answer.status, text: (await answer.text()).trim() }
  } catch (error) {
    throwIfInterrupted(signal)
    throw new LabError('UNREACHABLE', `Patroni on ${from} did not say what became of it: ${reasonOf(error)}`, {
      hint: 'pnpm run stack status patroni shows who leads.',
      cause: error,
    })
  }
}

const headersOf = ({ restUser: { user, password } }: PatroniStack): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
  'content-type': 'application/json',
})

/**
 * Changes what all members have in common, as `patronictl edit-config` does; each takes it over in its next loop.
 * @throws LabError UNREACHABLE, INTERRUPTED
 */
export async function changePatroni(
  stack: PatroniStack,
  values: Readonly<Record<string, number>>,
  { signal }: Interruptible = {},
): Promise<void> {
  const { members } = await readPatroni(stack, { signal })
  const { host, port } = stack.rest.get(members.find(leads)?.name ?? '') ?? { host: '', port: 0 }
  const answer = await fetch(`http://${host}:${port}/config`, {
    method: 'PATCH',
    headers: headersOf(stack),
    body: JSON.stringify(values),
    signal: limited(ANSWER_TIMEOUT_MS, signal),
  }).catch((error: unknown) => {
    throwIfInterrupted(signal)
    throw new LabError('UNREACHABLE', `Patroni did not take its new timers: ${reasonOf(error)}`, { cause: error })
  })
  if (!answer.ok)
    throw new LabError('UNREACHABLE', `Patroni refused its new timers (${answer.status}): ${await answer.text()}`)
}

const limited = (timeoutMs: number, signal: AbortSignal | undefined): AbortSignal => {
  const limit = AbortSignal.timeout(Math.ceil(timeoutMs))
  return signal === undefined ? limit : AbortSignal.any([signal, limit])
}

/** fetch says only that it failed; why is in its cause. */
const reasonOf = (error: unknown): string =>
  error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error)

const LEADS = new Set(['leader', 'standby_leader'])
export const leads = ({ role }: PatroniMember): boolean => LEADS.has(role)

/** One leads, every other streams, and all are on one timeline. */
export const allWell = (stack: PatroniStack): Condition<{ readonly primary: string; readonly timeline: number }> => ({
  what: 'Patroni to say that one node leads and every other one streams from it',
  observe: async signal => {
    const seen = await readPatroni(stack, { signal }).catch((error: unknown) => {
      throwIfInterrupted(signal)
      return messageOf(error)
    })
    if (typeof seen === 'string') return notMet(seen)
    const primary = seen.members.find(leads)
    const well = seen.members.filter(({ state, timeline }) =>
      state === 'streaming' && timeline !== undefined ? timeline === primary?.timeline : false,
    )
    if (primary?.state === 'running' && primary.timeline !== undefined && well.length === stack.rest.size - 1)
      return met({ primary: primary.name, timeline: primary.timeline })
    return notMet(seen.members.map(describeMember).join(', ') || 'Patroni knows of no node')
  },
})

/** Whoever it is. */
export const someoneLeads = (stack: PatroniStack): Condition<string> => ({
  what: 'Patroni to say that a node leads',
  observe: async signal => {
    try {
      const { members } = await readPatroni(stack, { signal })
      const primary = members.find(member => leads(member) && member.state === 'running')
      return primary === undefined ? notMet(members.map(describeMember).join(', ')) : met(primary.name)
    } catch (error) {
      throwIfInterrupted(signal)
      return notMet(messageOf(error))
    }
  },
})

const describeMember = ({ name, role, state, timeline }: PatroniMember): string =>
  `${name} ${role} ${state}${timeline === undefined ? '' : ` on timeline ${timeline}`}`
