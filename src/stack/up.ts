/**
 * Stack up: from whatever is there to a cluster that Patroni manages. Without data Patroni makes the cluster; one that the lab
 * has made is adopted with the data that it has.
 *
 * Adoption works because the scope is new in etcd, and Patroni starts on the primary first. The lab's servers are shut down
 * before, the primary first of all: the standbys then have its last record, so that every one of them can follow whoever leads.
 * Interrupted anywhere, the next stack up goes on, and stack down gives back what is there.
 */
import { isLabError, LabError } from '../errors.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { up } from '../operations/up.ts'
import { run } from '../runtime/command.ts'
import { together } from '../together.ts'
import { waitUntil } from '../wait.ts'
import { startEtcd } from './etcd.ts'
import { readIdentities, requireSame, type Identity } from './identity.ts'
import { resumeLeft } from './pgbouncer.ts'
import { someoneLeads } from './rest.ts'
import { runCompose, type PatroniStack } from './stack.ts'
import { stackWell } from './well.ts'

export interface StackUpOptions {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

export interface StackUp {
  /** `continued`: Patroni managed it, or some of its nodes, already. */
  readonly how: 'made' | 'adopted' | 'continued'
  readonly primary: string
  readonly timeline: number
}

/** The PostgreSQL of the image; the servers of another major version cannot read the data. */
const MAJOR = '17'

/** @throws LabError IMAGE_UNAVAILABLE, NOT_READY, CLONE_FAILED, DOCKER_FAILED, TIMEOUT, INTERRUPTED, and those of {@link up} */
export async function stackUp(cluster: Cluster, stack: PatroniStack, options: StackUpOptions): Promise<StackUp> {
  const deadline = performance.now() + options.timeoutMs
  const limits = (): StackUpOptions => ({ ...options, timeoutMs: Math.max(1, deadline - performance.now()) })
  await requireImage(cluster, stack, limits())
  const how = await howItBegins(cluster)
  const before = how === 'adopted' ? await adopt(cluster, stack, limits) : undefined
  await startEtcd(stack, limits())
  progress(cluster, 'docker compose up: the nodes, HAProxy and PgBouncer')
  // Not --wait: that gives up at once on a container that was unhealthy before, as HAProxy is while nobody leads.
  await runCompose(stack, ['up', '--detach'], limits())
  const seen = await waitUntil(stackWell(stack), { ...limits(), intervalMs: 200 })
  if (before !== undefined) await tellSame(cluster, before, options.signal)
  await resumeLeft(cluster, stack)
  return { how, ...seen }
}

/** Compose would build it too, and say nothing of why it takes so long. */
async function requireImage(cluster: Cluster, stack: PatroniStack, options: StackUpOptions): Promise<void> {
  const { image, variables } = stack
  const found = await run(['docker', 'image', 'inspect', '--format', '{{.Id}}', image], { environment: variables })
  if (found.exitCode === 0) return
  progress(cluster, `building the image ${image}: two minutes, once`)
  await runCompose(stack, ['build', 'etcd'], options).catch((error: unknown) => {
    if (!isLabError(error, 'DOCKER_FAILED')) throw error
    throw new LabError('IMAGE_UNAVAILABLE', `the image ${image} is not here and cannot be built: ${error.message}`, {
      hint: 'On Debian, as root, and without a registry: .ci/images patroni. Or name another image with PATRONI_IMAGE.',
      cause: error,
    })
  })
}

async function howItBegins({ runtime }: Cluster): Promise<StackUp['how']> {
  if ((await runtime.manager()) !== undefined) return 'continued'
  return (await runtime.traces()).files.length > 0 ? 'adopted' : 'made'
}

async function adopt(
  cluster: Cluster,
  stack: PatroniStack,
  limits: () => StackUpOptions,
): Promise<readonly Identity[]> {
  progress(cluster, 'bringing the cluster up as the lab has it: only what is well is adopted')
  const primary = await up(cluster, limits())
  requireMajor(primary.serverVersion)
  const before = await readIdentities(cluster, limits().signal)
  await shutDown(cluster, primary.name, limits())
  remark(cluster, `${primary.name} was the primary: Patroni starts there first, with a new scope in etcd`)
  progress(cluster, `docker compose up ${primary.name}`)
  await startEtcd(stack, limits())
  await runCompose(stack, ['up', '--detach', primary.name], limits())
  await waitUntil(someoneLeads(stack), { ...limits(), intervalMs: 200 })
  return before
}

function requireMajor(version: string): void {
  const [major = ''] = version.split('.')
  if (major === MAJOR) return
  throw new LabError(
    'NOT_READY',
    `the cluster has PostgreSQL ${version}, and the stack ${MAJOR}: nothing was changed`,
    {
      hint: `Make the cluster with POSTGRES_IMAGE=postgres:${MAJOR}: pnpm run down, then pnpm run up.`,
    },
  )
}

/** A fast shutdown ends when the standbys have confirmed its last record, so the standbys go after it. */
async function shutDown(cluster: Cluster, primary: string, { signal }: StackUpOptions): Promise<void> {
  const stop = async (name: string): Promise<void> =>
    cluster.emit({ kind: 'command', node: name, text: await cluster.runtime.stop(name, 'fast', { signal }) })
  remark(cluster, 'the servers of the lab are shut down, the primary first')
  await stop(primary)
  const others = cluster.nodes.filter(({ name }) => name !== primary)
  await together(others, ({ name }) => stop(name))
}

/** @throws LabError CLONE_FAILED */
export async function tellSame(
  cluster: Cluster,
  before: readonly Identity[],
  signal: AbortSignal | undefined,
): Promise<void> {
  requireSame(before, await readIdentities(cluster, signal))
  for (const { node, systemIdentifier, madeAt } of before) {
    const made = new Date(madeAt).toLocaleString('sv')
    remark(cluster, `${node} kept its data: system ${systemIdentifier}, made ${made}`)
  }
}

export const remark = (cluster: Cluster, text: string): void => cluster.emit({ kind: 'remark', text })
export const progress = (cluster: Cluster, text: string): void => cluster.emit({ kind: 'progress', text })
