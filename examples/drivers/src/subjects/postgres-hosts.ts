/**
 * postgres.js with every node in its list of hosts, and no address that moves: it chooses by target_session_attrs.
 */
import postgres from 'postgres'
import type { Target } from '../protocol.ts'
import type { Subject } from '../subject.ts'
import { writing } from './postgres.ts'

export const openDefault = (target: Target): Subject => over(target, 'read-write')

export const openMended = (target: Target): Subject => over(target, 'primary')

function over({ nodeUrls, table }: Target, role: 'read-write' | 'primary'): Subject {
  const { username, password, pathname } = new URL(nodeUrls[0] ?? '')
  const hosts = nodeUrls.map(url => new URL(url).host).join(',')
  // #region mended
  const sql = postgres(`postgres://${username}:${password}@${hosts}${pathname}`, { target_session_attrs: role })
  // #endregion
  return writing(table, work => work(sql))
}
