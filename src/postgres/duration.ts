/**
 * Times as PostgreSQL's settings are given them and show them. Pure.
 * https://www.postgresql.org/docs/current/config-setting.html#CONFIG-SETTING-NAMES-VALUES
 */

/** In milliseconds, the smallest last. */
const UNITS = { d: 86_400_000, h: 3_600_000, min: 60_000, s: 1000, ms: 1, us: 0.001 } as const

/** The most that a setting holds: 24 days. */
const LONGEST_MS = 2_147_483_647

/** `30s`, `1.5 h`; milliseconds without a unit. Returns milliseconds; undefined when PostgreSQL would refuse it. */
export function parseDuration(text: string): number | undefined {
  const [, figures = '', unit = 'ms'] = /^\s*(\d+(?:\.\d+)?)\s*(d|h|min|s|ms|us)?\s*$/.exec(text) ?? []
  const ms = Math.round(Number(figures) * UNITS[unit as keyof typeof UNITS])
  return figures === '' || ms > LONGEST_MS ? undefined : ms
}

/** As SHOW does: in the largest unit of which it is a whole number. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0'
  const [unit, size] = Object.entries(UNITS).find(([, size]) => ms % size === 0) ?? ['ms', 1]
  return `${ms / size}${unit}`
}
