/**
 * The settings of a primary that are told with what was measured of it.
 */
import type { Session } from '../postgres/connection.ts'

/** Those that a figure in the record depends on. */
const SETTINGS = [
  ...['synchronous_commit', 'synchronous_standby_names', 'fsync', 'full_page_writes', 'wal_level', 'wal_compression'],
  ...['commit_delay', 'shared_buffers', 'max_wal_size', 'checkpoint_timeout', 'data_checksums', 'hot_standby_feedback'],
  ...['wal_sender_timeout', 'wal_receiver_timeout', 'wal_receiver_status_interval', 'wal_retrieve_retry_interval'],
]

/** By their names, as this session has them; what the role may not see is left out. */
export async function readSettings(session: Session): Promise<Record<string, string>> {
  const question = 'SELECT name, current_setting(name) AS value FROM pg_settings WHERE name = ANY ($1) ORDER BY name'
  const rows = await session.query<{ name: string; value: string }>(question, [SETTINGS], { name: 'settings' })
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]))
}
