/**
 * A cluster for a soak with the stack: adopted for as long as it goes on, or as it is where Patroni manages it already; with the
 * timers of the soak, and with its own again afterwards.
 */
import type { Cluster } from '../../cluster/cluster.ts'
import { once } from '../../dispose.ts'
import { up } from '../../operations/up.ts'
import { waitUntil } from '../../wait.ts'
import { stackDown } from '../down.ts'
import { changePatroni, readConfig } from '../rest.ts'
import { applyTimers } from '../settings.ts'
import type { PatroniStack } from '../stack.ts'
import { stackUp, type StackUp } from '../up.ts'
import { stackWell } from '../well.ts'
import { startProxies } from './actions.ts'
import { SOAK_TIMERS } from './plan.ts'

/** Disposing of it gives it back; no interruption ends that. */
export interface Borrowed extends AsyncDisposable {
  readonly how: StackUp['how']
  /** With the timers of a soak. */
  readonly stack: PatroniStack
}

const TIMEOUT_MS = 600_000
const LIMIT = { timeoutMs: TIMEOUT_MS }

/** @throws LabError those of stackUp and of applyTimers, when it is given back */
export async function borrowStack(
  cluster: Cluster,
  stack: PatroniStack,
  { signal }: { readonly signal?: AbortSignal | undefined },
): Promise<Borrowed> {
  const wasManaged = (await cluster.runtime.manager()) !== undefined
  let timers: Record<string, number> | undefined
  const back = once(async () => {
    if (!wasManaged) return await giveBack(cluster, stack)
    if (timers !== undefined) await restoreTimers(stack, timers)
  })
  try {
    const { how } = await stackUp(cluster, stack, { ...LIMIT, signal })
    timers = await readTimers(stack, signal)
    const tuned = await applyTimers(stack, SOAK_TIMERS, { ...LIMIT, signal })
    return { how, stack: tuned, [Symbol.asyncDispose]: back[Symbol.asyncDispose] }
  } catch (error) {
    await back[Symbol.asyncDispose]()
    throw error
  }
}

/** Whatever an interruption has left of it. */
async function giveBack(cluster: Cluster, stack: PatroniStack): Promise<void> {
  if ((await cluster.runtime.manager()) === undefined) await up(cluster, LIMIT)
  else await stackDown(cluster, stack, LIMIT)
}

/** Of Patroni; the others have theirs from the variables, with which their containers are made again. */
async function readTimers(stack: PatroniStack, signal: AbortSignal | undefined): Promise<Record<string, number>> {
  const values = await readConfig(stack, { signal })
  return Object.fromEntries(
    Object.keys(SOAK_TIMERS.patroni).flatMap(timer => {
      const value = values[timer]
      return typeof value === 'number' ? [[timer, value]] : []
    }),
  )
}

async function restoreTimers(stack: PatroniStack, timers: Record<string, number>): Promise<void> {
  await startProxies(stack)
  await waitUntil(stackWell(stack), { ...LIMIT, intervalMs: 200 })
  await changePatroni(stack, timers)
}
