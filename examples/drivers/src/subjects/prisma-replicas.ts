/**
 * Prisma's extension for read replicas: each read goes to a standby, by chance.
 */
import { PrismaPg } from '@prisma/adapter-pg'
import { readReplicas } from '@prisma/extension-read-replicas'
import { PrismaClient } from '../prisma/client/client.ts'
import type { Target } from '../protocol.ts'
import type { Subject } from '../subject.ts'

export const openDefault = (target: Target): Subject =>
  over(target, connectionString => new PrismaClient({ adapter: new PrismaPg({ connectionString }) }))

export function openMended(target: Target): Subject {
  // #region mended
  const open = (connectionString: string): PrismaClient =>
    new PrismaClient({
      adapter: new PrismaPg({ connectionString, connectionTimeoutMillis: 1_000, query_timeout: 1_000 }),
    })
  // #endregion
  return over(target, open)
}

function over({ url, standbyUrls }: Target, open: (url: string) => PrismaClient): Subject {
  const prisma = open(url).$extends(readReplicas({ replicas: standbyUrls.map(open) }))
  return { read: () => prisma.$replica().$queryRaw`SELECT 1` }
}
