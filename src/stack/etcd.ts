/**
 * etcd first: every node waits for it, and Compose gives up at once on what depends on a container that is unhealthy, as each member
 * is that has waited for the others in vain.
 */
import { met, notMet, waitUntil, type Condition } from '../wait.ts'
import { runCompose, type ComposeOptions, type PatroniStack } from './stack.ts'

/** Starts what does not run. @throws LabError DOCKER_FAILED, TIMEOUT, INTERRUPTED */
export async function startEtcd(stack: PatroniStack, options: ComposeOptions): Promise<void> {
  await runCompose(stack, ['up', '--detach', '--no-deps', ...stack.etcd], options)
  await waitUntil(etcdIsWell(stack, options), { ...options, timeoutMs: Math.min(options.timeoutMs, WELL_TIMEOUT_MS) })
}

/** A first start takes a second or two; Docker looks as often as HEALTHCHECK_INTERVAL says. */
const WELL_TIMEOUT_MS = 90_000

const etcdIsWell = (stack: PatroniStack, options: ComposeOptions): Condition<undefined> => ({
  what: `${stack.etcd.join(', ')} to be well`,
  observe: async signal => {
    const { stdout } = await runCompose(stack, ['ps', '--format', '{{.Service}} {{.Health}}', ...stack.etcd], {
      ...options,
      signal,
    })
    const seen = stdout.trim().split('\n')
    const well = seen.filter(line => line.endsWith(' healthy')).length
    return well === stack.etcd.length ? met(undefined) : notMet(seen.join(', '))
  },
})
