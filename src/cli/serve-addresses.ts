/**
 * `up --address`: addresses that follow the roles, for applications and psql, for as long as the command runs.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { clockOf } from '../report/format.ts'
import type { Narrator } from '../report/narrator.ts'
import { Addresses } from '../testing/addresses.ts'
import { Roles } from '../testing/roles.ts'

export interface ServeOptions {
  /** Of the primary's address; that of the standbys is the next one. */
  readonly port: number
  readonly narrate: Narrator
  readonly signal: AbortSignal
}

/** Returns when the signal fires. @throws LabError PORT_IN_USE */
export async function serveAddresses(cluster: Cluster, { port, narrate, signal }: ServeOptions): Promise<void> {
  const { superuser, database } = cluster.topology
  const account = { ...superuser, database }
  await using roles = new Roles(cluster, await cluster.primary(signal))
  await using addresses = await Addresses.open(cluster, roles)
  await addresses.toPrimary(account, { port })
  await addresses.toStandbys(account, { port: port + 1 })
  const at = (which: number): string => `postgresql://${superuser.user}@127.0.0.1:${which}/${database}`
  narrate.say(`primary    ${at(port)}`)
  narrate.say(`standbys   ${at(port + 1)}`)
  narrate.say('They follow the roles until Ctrl-C; pnpm run psql --url prints the password.')
  const told = roles.onPromotion(({ node, timeline }) =>
    narrate.say(`${clockOf(new Date())} ${node} is the primary on timeline ${timeline}`),
  )
  await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve(), { once: true }))
  told()
}
