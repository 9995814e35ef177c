/**
 * Sequelize's replication: each new connection of the pool for reads goes to the next standby.
 */
import { QueryTypes, Sequelize, type Options } from 'sequelize'
import type { Target } from '../protocol.ts'
import type { Subject } from '../subject.ts'

export const openDefault = (target: Target): Subject => over(new Sequelize(replicated(target)))

export function openMended(target: Target): Subject {
  // #region mended
  const sequelize = new Sequelize({
    ...replicated(target),
    dialectOptions: { connectionTimeoutMillis: 1_000, query_timeout: 1_000 },
  })
  // #endregion
  return over(sequelize)
}

function replicated({ url, standbyUrls }: Target): Options {
  const part = (text: string) => {
    const { hostname: host, port, username, password, pathname } = new URL(text)
    return { host, port, username, password, database: pathname.slice(1) }
  }
  return { dialect: 'postgres', logging: false, replication: { write: part(url), read: standbyUrls.map(part) } }
}

const over = (sequelize: Sequelize): Subject => ({
  read: () => sequelize.query('SELECT 1', { type: QueryTypes.SELECT }),
})
