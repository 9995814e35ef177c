/**
 * Stack down: the cluster is given back to the lab, with the data that it has, whoever leads by then.
 *
 * First what leads clients to it, so that nothing is written while it ends. Then the standbys, and the primary last: a Patroni
 * that ends releases the leader's lock, and a standby that still ran would be promoted. What Patroni has written into the data
 * directories is taken out by replica-entrypoint/after-patroni.sh, at the next start of the lab's own entrypoint.
 */
import { isLabError } from '../errors.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { PrimaryStatus } from '../cluster/node-status.ts'
import { up } from '../operations/up.ts'
import { together } from '../together.ts'
import { readIdentities } from './identity.ts'
import { leads, readPatroni } from './rest.ts'
import { requireManaged, runCompose, type PatroniStack } from './stack.ts'
import { progress, remark, tellSame, type StackUpOptions } from './up.ts'

export interface GivenBack {
  readonly primary: PrimaryStatus
  /** Every node was seen to have the data that it had; not where one of them did not run before. */
  readonly isSame: boolean
}

/** @throws LabError NOT_RUNNING where Patroni manages nothing; DOCKER_FAILED, CLONE_FAILED, INTERRUPTED, and those of {@link up} */
export async function stackDown(cluster: Cluster, stack: PatroniStack, options: StackUpOptions): Promise<GivenBack> {
  const deadline = performance.now() + options.timeoutMs
  const limits = (): StackUpOptions => ({ ...options, timeoutMs: Math.max(1, deadline - performance.now()) })
  await requireManaged(cluster)
  const primary = await leaderNow(stack, options.signal)
  const isWhole = await allRun(cluster)
  const before = isWhole ? await readIdentities(cluster, options.signal).catch(unlessUnreachable) : undefined
  progress(cluster, 'ending PgBouncer and HAProxy')
  await runCompose(stack, ['rm', '--stop', '--force', 'pgbouncer', 'haproxy'], limits())
  await endNodes(cluster, primary, limits())
  progress(cluster, 'ending etcd')
  await runCompose(stack, ['rm', '--stop', '--force', ...stack.etcd], limits())
  progress(cluster, 'bringing the cluster up as the lab has it')
  const after = await up(cluster, limits())
  if (before !== undefined) await tellSame(cluster, before, options.signal)
  return { primary: after, isSame: before !== undefined }
}

/** Undefined where Patroni does not say: then up finds out whose history is the most advanced. */
async function leaderNow(stack: PatroniStack, signal: AbortSignal | undefined): Promise<string | undefined> {
  try {
    return (await readPatroni(stack, { signal })).members.find(leads)?.name
  } catch (error) {
    if (!isLabError(error, 'UNREACHABLE')) throw error
    return undefined
  }
}

async function allRun({ runtime, nodes }: Cluster): Promise<boolean> {
  const states = await Promise.all(nodes.map(({ name }) => runtime.state(name)))
  return states.every(state => state === 'running')
}

function unlessUnreachable(error: unknown): undefined {
  if (!isLabError(error, 'UNREACHABLE')) throw error
}

/** Patroni shuts its server down when it is asked to end. */
async function endNodes(cluster: Cluster, primary: string | undefined, { signal }: StackUpOptions): Promise<void> {
  const { runtime } = cluster
  const end = async (name: string): Promise<void> => {
    const state = await runtime.state(name)
    if (state === 'frozen') await runtime.thaw(name)
    if (state === 'running' || state === 'frozen')
      cluster.emit({ kind: 'command', node: name, text: await runtime.stop(name, 'smart', { signal }) })
  }
  const others = cluster.nodes.filter(({ name }) => name !== primary)
  remark(cluster, primary === undefined ? 'nobody leads' : `${primary} leads, and is ended last`)
  await together(others, ({ name }) => end(name))
  if (primary !== undefined) await end(primary)
}
