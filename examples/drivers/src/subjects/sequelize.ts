/**
 * Sequelize 6 over pg, with its own pool.
 */
import type { Client } from 'pg'
import { Sequelize } from 'sequelize'
import { givesUp } from '../gives-up.ts'
import type { Target } from '../protocol.ts'
import { insertInto, type Subject } from '../subject.ts'

export const openDefault = ({ url, table }: Target): Subject => over(new Sequelize(url, { logging: false }), table)

export function openMended({ url, table }: Target): Subject {
  // #region mended
  const sequelize = new Sequelize(url, {
    logging: false,
    dialectOptions: { connectionTimeoutMillis: 2_000 },
    hooks: { afterConnect: connection => givesUp(connection as Client) },
  })
  // #endregion
  return over(sequelize, table)
}

const over = (sequelize: Sequelize, table: string): Subject => ({
  write: (id, seconds) => sequelize.query(insertInto(table), { bind: [id, seconds] }),
  transaction: (id, seconds) =>
    sequelize.transaction(async transaction => {
      await sequelize.query(insertInto(table), { bind: [id, 0], transaction })
      await sequelize.query('SELECT pg_sleep($1)', { bind: [seconds], transaction })
    }),
})
