/**
 * Every subject, without its driver.
 */
import type { SubjectSpec } from '../subject.ts'

const WRITER = { works: ['write', 'transaction', 'busy'], connections: 10, via: 'address' } as const
const LISTENER = { works: ['listen'], connections: 0, via: 'address' } as const
/** Not one address: all of the servers, and the pool itself finds the primary. */
const ROUTED = {
  works: ['write', 'transaction', 'busy'],
  connections: 10,
  via: 'router',
  packageName: 'pg-failover-lab',
  variants: { default: 'defaults', mended: 'with query_timeout' },
} as const
const READER = { works: ['read'], connections: 2, via: 'nodes' } as const

export const subjects: readonly SubjectSpec[] = [
  {
    ...WRITER,
    id: 'pg-client',
    title: 'pg Client',
    packageName: 'pg',
    module: 'pg-client',
    works: ['write', 'transaction'],
    connections: 1,
  },
  { ...LISTENER, id: 'pg-listen', title: 'pg Client, LISTEN', packageName: 'pg', module: 'pg-listen' },
  { ...WRITER, id: 'pg-query', title: 'pg Pool, query()', packageName: 'pg', module: 'pg-query' },
  {
    ...WRITER,
    id: 'pg-release',
    title: 'pg Pool, connect() and release()',
    packageName: 'pg',
    module: 'pg-release',
    variants: { default: 'defaults, with every listener', mended: 'mended' },
  },
  {
    ...WRITER,
    id: 'pg-release-error',
    title: 'pg Pool, connect() and release(error)',
    packageName: 'pg',
    module: 'pg-release-error',
    variants: { default: "defaults, with pool.on('error')", mended: 'mended' },
  },
  {
    ...WRITER,
    id: 'postgres',
    title: 'postgres.js',
    packageName: 'postgres',
    module: 'postgres',
  },
  {
    ...LISTENER,
    id: 'postgres-listen',
    title: 'postgres.js, listen()',
    packageName: 'postgres',
    module: 'postgres-listen',
  },
  {
    ...WRITER,
    id: 'postgres-hosts',
    title: 'postgres.js, all hosts',
    packageName: 'postgres',
    module: 'postgres-hosts',
    works: ['write'],
    via: 'nodes',
    variants: { default: "target_session_attrs 'read-write'", mended: "target_session_attrs 'primary'" },
  },
  { ...WRITER, id: 'prisma', title: 'Prisma', packageName: '@prisma/adapter-pg', module: 'prisma' },
  { ...WRITER, id: 'drizzle', title: 'Drizzle', packageName: 'drizzle-orm', module: 'drizzle' },
  { ...WRITER, id: 'knex', title: 'Knex', packageName: 'knex', module: 'knex' },
  { ...WRITER, id: 'typeorm', title: 'TypeORM', packageName: 'typeorm', module: 'typeorm' },
  { ...WRITER, id: 'kysely', title: 'Kysely', packageName: 'kysely', module: 'kysely' },
  { ...WRITER, id: 'sequelize', title: 'Sequelize', packageName: 'sequelize', module: 'sequelize', connections: 5 },
  { ...WRITER, id: 'mikro-orm', title: 'MikroORM', packageName: '@mikro-orm/postgresql', module: 'mikro-orm' },
  { ...ROUTED, id: 'drizzle-router', title: "Drizzle, the lab's router", module: 'drizzle-router' },
  { ...ROUTED, id: 'knex-router', title: "Knex, the lab's router", module: 'knex-router' },
  { ...ROUTED, id: 'kysely-router', title: "Kysely, the lab's router", module: 'kysely-router' },
  {
    ...READER,
    id: 'drizzle-replicas',
    title: 'Drizzle, withReplicas',
    packageName: 'drizzle-orm',
    module: 'drizzle-replicas',
  },
  {
    ...READER,
    id: 'prisma-replicas',
    title: 'Prisma, read replicas extension',
    packageName: '@prisma/extension-read-replicas',
    module: 'prisma-replicas',
  },
  {
    ...READER,
    id: 'typeorm-replicas',
    title: 'TypeORM, replication',
    packageName: 'typeorm',
    module: 'typeorm-replicas',
  },
  {
    ...READER,
    id: 'sequelize-replicas',
    title: 'Sequelize, replication',
    packageName: 'sequelize',
    module: 'sequelize-replicas',
  },
  {
    ...READER,
    id: 'mikro-orm-replicas',
    title: 'MikroORM, replicas',
    packageName: '@mikro-orm/postgresql',
    module: 'mikro-orm-replicas',
  },
]
