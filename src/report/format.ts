/**
 * Figures as people read them. Pure.
 */

/** `0.42 ms`, `41.2 ms`, `1.31 s`. */
export function formatMs(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`
  return `${ms >= 100 ? ms.toFixed(0) : ms >= 1 ? ms.toFixed(1) : ms.toFixed(2)} ms`
}

/**
 * A time that was found by looking again and again: less than the time between two looks cannot be told from nothing.
 * `< 1.7 ms`, and with no resolution as {@link formatMs}.
 */
export const formatSeenMs = (ms: number, resolutionMs: number | undefined): string =>
  resolutionMs !== undefined && ms < resolutionMs ? `< ${formatMs(resolutionMs)}` : formatMs(ms)

/** Of a lag that was seen some time before the instant that it is told of: nothing then may be something by that instant. */
export const formatLagMs = ({ ms, sampleAgeMs }: { readonly ms: number; readonly sampleAgeMs: number }): string =>
  ms === 0 ? formatSeenMs(0, sampleAgeMs) : formatMs(ms)

/** `312 bytes`, `4.0 kB`, `16 MB`: powers of 1024 under PostgreSQL's names, as pg_size_pretty. */
export function formatBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 || value >= 10 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

/** `1,204` */
export const formatCount = (count: number): string => count.toLocaleString('en-US')

/** `1 standby`, `2 standbys` */
export const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`

/** Columns aligned, two spaces between; numbers to the right. The first row is the heading. */
export function formatTable(rows: readonly (readonly (string | number)[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => String(row[column] ?? '').length)))
  return rows.map(row =>
    row
      .map((cell, column) =>
        typeof cell === 'number' ? String(cell).padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  )
}

/** Local time, `12:03:04`. */
export const clockOf = (at: Date): string =>
  [at.getHours(), at.getMinutes(), at.getSeconds()].map(part => String(part).padStart(2, '0')).join(':')
