/**
 * Thirty applications that connect at once, and again for each request that is refused, would have a small machine compute
 * hashes of passwords, and nothing else: 4096 rounds for each connection, at either end. Here it is one round.
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import type { TestCluster } from 'pg-failover-lab'

const ROUNDS = 1

export async function cheapenPassword(cluster: TestCluster): Promise<void> {
  const { user, password } = cluster.connectionConfig
  await cluster.query(`ALTER ROLE ${user} PASSWORD '${verifierOf(password)}'`, [], { as: 'superuser' })
  await cluster.waitForCatchUp()
}

/** What PostgreSQL keeps of a password, in the form in which it takes it, too: RFC 5803. */
function verifierOf(password: string): string {
  const salt = randomBytes(16)
  const salted = pbkdf2Sync(password, salt, ROUNDS, 32, 'sha256')
  const keyed = (text: string): Buffer => createHmac('sha256', salted).update(text).digest()
  const storedKey = createHash('sha256').update(keyed('Client Key')).digest('base64')
  const serverKey = keyed('Server Key').toString('base64')
  return `SCRAM-SHA-256$${ROUNDS}:${salt.toString('base64')}$${storedKey}:${serverKey}`
}
