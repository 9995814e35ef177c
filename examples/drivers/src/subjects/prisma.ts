/**
 * Prisma with the adapter for pg.
 */
import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'
import { givesUp } from '../gives-up.ts'
import { PrismaClient } from '../prisma/client/client.ts'
import type { Target } from '../protocol.ts'
import { insertInto, type Subject } from '../subject.ts'

export const openDefault = ({ url, table }: Target): Subject =>
  over(new PrismaClient({ adapter: new PrismaPg({ connectionString: url }) }), table)

export function openMended({ url, table }: Target): Subject {
  // #region mended
  const pool = new pg.Pool({ connectionString: url, connectionTimeoutMillis: 2_000 })
  pool.on('connect', givesUp)
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) })
  // #endregion
  return over(prisma, table)
}

const over = (prisma: PrismaClient, table: string): Subject => ({
  write: (id, seconds) => prisma.$executeRawUnsafe(insertInto(table), id, seconds),
  transaction: (id, seconds) =>
    prisma.$transaction(async tx => {
      await tx.$executeRawUnsafe(insertInto(table), id, 0)
      await tx.$queryRaw`SELECT pg_sleep(${seconds})::text`
    }),
})
