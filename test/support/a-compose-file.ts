/**
 * Compose files of a lab, service by service.
 */
import { stringify } from 'yaml'

export type Service = Readonly<Record<string, unknown>> & { readonly environment: Readonly<Record<string, unknown>> }

export function service(name: string, port: number, changes: Readonly<Record<string, unknown>> = {}): Service {
  return {
    image: 'postgres:17',
    command: ['postgres', '--wal_level=replica'],
    environment: {
      NODE_NAME: name,
      FIRST_START: name === 'primary' ? 'initdb' : 'clone',
      PGDATA: '/var/lib/postgresql/pgdata',
      POSTGRES_DB: 'testdb',
      POSTGRES_USER: 'postgres',
      POSTGRES_PASSWORD: '${POSTGRES_PASSWORD:-postgres}',
      LAB_USER: 'lab',
      LAB_PASSWORD: 'lab_password',
      REPLICATION_USER: 'replicator',
      REPLICATION_PASSWORD: 'replicator_password',
      CLUSTER_NODES: '@nodes',
      PRIMARY_CONNINFO: 'host=@nodes user=replicator target_session_attrs=primary',
    },
    ports: [`127.0.0.1:${port}:5432`],
    volumes: [`${name}-data:/var/lib/postgresql`, './replica-entrypoint:/replica-entrypoint:ro'],
    ...changes,
  }
}

export const withEnvironment = (base: Service, changes: Readonly<Record<string, unknown>>): Service => ({
  ...base,
  environment: Object.fromEntries(
    Object.entries({ ...base.environment, ...changes }).filter(([, value]) => value !== undefined),
  ),
})

export const primary = service('primary', 5432)
export const replica1 = service('replica1', 5433)
const volumes = { 'primary-data': {}, 'replica1-data': {}, 'replica2-data': {}, 'replica-1-data': {} }
export const compose = (services: Readonly<Record<string, unknown>>, more: object = {}): string => {
  const nodes = Object.keys(services).filter(name => name !== 'pgadmin')
  return stringify({ ...more, services, volumes }).replaceAll('@nodes', nodes.join(','))
}
