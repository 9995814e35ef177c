/**
 * postgres.js, listen(): on a connection of its own.
 */
import postgres from 'postgres'
import type { Target } from '../protocol.ts'
import type { Subject } from '../subject.ts'

export function openDefault({ url }: Target): Subject {
  const sql = postgres(url)
  return { listen: (channel, heard) => sql.listen(channel, heard) }
}

export function openMended({ url }: Target): Subject {
  // #region mended
  async function listen(channel: string, heard: (payload: string) => void): Promise<void> {
    const sql = postgres(url, { connect_timeout: 2, fetch_types: false })
    let heardAt = performance.now()
    // Nothing tells a listener that it is alone: it sends itself something, and begins again when it does not hear it.
    await sql.listen(`${channel}_echo`, () => (heardAt = performance.now()))
    await sql.listen(channel, heard)
    const look = setInterval(() => {
      if (performance.now() - heardAt < 3_000) return void sql.notify(`${channel}_echo`, '').catch(() => undefined)
      clearInterval(look)
      void sql.end({ timeout: 0 }).catch(() => undefined)
      void listen(channel, heard)
    }, 1_000)
  }
  // #endregion
  return { listen }
}
