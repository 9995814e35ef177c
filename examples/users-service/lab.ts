/**
 * `pnpm run app`: the lab's cluster, brought up unless it is up, and the service against it. The cluster stays when this ends.
 */
import { isLabError, openLab, up, type Topology } from 'pg-failover-lab'
import { readConfiguration } from './src/configuration.ts'
import { messageOf } from './src/limit.ts'
import { run } from './src/run.ts'

const UP_MS = 180_000

const say = (text: string): void => void process.stderr.write(`${text}\n`)

/** As docker-compose.yml has it, on whichever runtime. */
async function bringUp(signal: AbortSignal): Promise<Topology> {
  await using lab = await openLab({ lock: { command: 'app' }, mayPull: true, signal, onProgress: say })
  say(lab.choice)
  const primary = await up(lab.cluster, { timeoutMs: UP_MS, signal })
  say(`the cluster is up, and ${primary.name} is the primary`)
  return lab.topology
}

/** What is set in the environment wins. */
function environmentFor({ nodes, database, superuser, lab }: Topology): Record<string, string | undefined> {
  return {
    DATABASE_HOSTS: nodes.map(({ client }) => `${client.host}:${client.port}`).join(),
    DATABASE_NAME: database,
    DATABASE_PASSWORD: 'users_service_password',
    ADMIN_USER: superuser.user,
    ADMIN_PASSWORD: superuser.password,
    MONITOR_USER: lab.user,
    MONITOR_PASSWORD: lab.password,
    ACTIVITY_LOG: 'on',
    ...process.env,
  }
}

const HINTS = (url: string): string => `
The service listens at ${url}, and its interface is at ${url}/docs. Try, in another terminal:

  curl -i ${url}/users -H 'content-type: application/json' -H 'idempotency-key: 1' -d '{"name":"Ada","email":"ada@example.com"}'
  curl -i ${url}/users
  curl -s ${url}/readyz
  curl -s ${url}/activity
  pnpm run failover      # in the lab's folder: the primary crashes, and a standby takes over

Ctrl-C ends the service; the cluster stays until pnpm run down.
`

const interrupted = new AbortController()
const interrupt = (): void => interrupted.abort(new Error('interrupted'))
process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
try {
  const environment = environmentFor(await bringUp(interrupted.signal))
  process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
  const url = await run(readConfiguration(environment))
  if (url !== undefined) say(HINTS(url))
} catch (error) {
  say(`error: ${messageOf(error)}`)
  if (isLabError(error) && error.hint !== undefined) say(`hint: ${error.hint}`)
  process.exitCode = interrupted.signal.aborted ? 130 : 1
}
