/**
 * The service over a cluster of the library: what a test says is different, the rest as it is by default.
 */
import { randomBytes } from 'node:crypto'
import type { TestCluster } from 'pg-failover-lab'
import { readConfiguration, type Configuration } from '../src/configuration.ts'
import { createService, type Service } from '../src/service.ts'

/** Of the role that the service makes for itself. */
const PASSWORD = randomBytes(18).toString('base64url')

/** The environment of a service over this cluster; its addresses go through the cluster's black holes. */
export function environmentFor(cluster: TestCluster, more: Record<string, string> = {}): Record<string, string> {
  const { superuser, lab, database, nodes } = cluster.core.topology
  return {
    PORT: '0',
    DATABASE_HOSTS: nodes.map(({ name }) => new URL(cluster.urlOf(name)).host).join(),
    DATABASE_NAME: database,
    DATABASE_PASSWORD: PASSWORD,
    ADMIN_USER: superuser.user,
    ADMIN_PASSWORD: superuser.password,
    MONITOR_USER: lab.user,
    MONITOR_PASSWORD: lab.password,
    LOG_LEVEL: 'silent',
    ...more,
  }
}

export const configurationFor = (cluster: TestCluster, more: Record<string, string> = {}): Configuration =>
  readConfiguration(environmentFor(cluster, more))

/** Not listening: for `app.inject()`. */
export const serviceFor = async (cluster: TestCluster, more: Record<string, string> = {}): Promise<Service> =>
  await createService(configurationFor(cluster, more))
