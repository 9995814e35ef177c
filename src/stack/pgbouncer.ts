/**
 * PgBouncer's console: PAUSE lets what is under way end, and everybody else wait; RESUME lets them go on.
 * https://www.pgbouncer.org/usage.html#admin-console
 */
import { codeOf, isLabError } from '../errors.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { connect, type Session } from '../postgres/connection.ts'
import { connectionUrl } from '../postgres/conninfo.ts'
import { met, notMet, type Condition } from '../wait.ts'
import type { PatroniStack } from './stack.ts'

/** @throws LabError UNREACHABLE, WRONG_PASSWORD, INTERRUPTED */
export async function connectConsole(stack: PatroniStack, signal?: AbortSignal): Promise<Session> {
  const { host, port, admin } = stack.pgbouncer
  return await connect({ url: connectionUrl({ host, port, ...admin, database: 'pgbouncer' }), signal })
}

/** What became of a PAUSE: drained, or something was still under way at the limit. It is in force in both cases. */
export type Paused = 'drained' | 'not-drained'

/** Over a connection of its own: one that waits takes no other command. */
export async function pauseWrites(
  stack: PatroniStack,
  { drainMs, signal }: { readonly drainMs: number; readonly signal?: AbortSignal | undefined },
): Promise<Paused> {
  await using session = await connectConsole(stack, signal)
  try {
    await session.query(`PAUSE ${databaseOf(stack)}`, [], { timeoutMs: drainMs })
    return 'drained'
  } catch (error) {
    if (codeOf(error) !== 'ETIMEDOUT') throw error
    return 'not-drained'
  }
}

/** Whether it was paused. Nothing interrupts it: who is made to wait must be let go. */
export async function resumeWrites(stack: PatroniStack): Promise<boolean> {
  await using session = await connectConsole(stack)
  if (!(await isPaused(session, stack))) return false
  await session.query(`RESUME ${databaseOf(stack)}`)
  return true
}

/** Whether clients are made to wait now; undefined where PgBouncer does not answer. */
export async function readPaused(stack: PatroniStack, signal?: AbortSignal): Promise<boolean | undefined> {
  try {
    await using session = await connectConsole(stack, signal)
    return await isPaused(session, stack)
  } catch (error) {
    if (!isLabError(error, 'UNREACHABLE')) throw error
    return undefined
  }
}

export const consoleAnswers = (stack: PatroniStack): Condition<undefined> => ({
  what: 'PgBouncer to answer',
  observe: async signal => ((await readPaused(stack, signal)) === undefined ? notMet('it does not') : met(undefined)),
})

/** What a switchover that was killed has left paused. */
export async function resumeLeft(cluster: Cluster, stack: PatroniStack): Promise<void> {
  if (await resumeWrites(stack)) cluster.emit({ kind: 'remark', text: 'PgBouncer was paused: it goes on' })
}

async function isPaused(session: Session, stack: PatroniStack): Promise<boolean> {
  const rows = await session.query<{ name: string; paused: string | number }>('SHOW DATABASES')
  return rows.some(({ name, paused }) => name === stack.topology.database && Number(paused) === 1)
}

const databaseOf = ({ topology }: PatroniStack): string => `"${topology.database.replaceAll('"', '""')}"`
