/**
 * What a server says of itself beside an answer, so that it is known who gave it, whatever stands between: an address that moves,
 * a proxy, a pool. See parseServer. https://www.postgresql.org/docs/current/functions-info.html
 */

/** Each an expression of type text; what a role may not call is left out of it. */
export const WHO_ANSWERS = {
  address: "coalesce(host(inet_server_addr()) || ':' || inet_server_port(), '-')",
  timeline:
    "CASE WHEN pg_is_in_recovery() THEN '-' ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int::text END",
  startedAt: '(extract(epoch FROM pg_postmaster_start_time()) * 1000)::bigint::text',
} as const

export type WhoPart = keyof typeof WHO_ANSWERS

/** In the order in which parseServer reads them. */
export const WHO_PARTS: readonly WhoPart[] = ['address', 'timeline', 'startedAt']

/** One expression for all parts that a role may see. */
export const whoAnswersOf = (parts: readonly WhoPart[]): string =>
  `concat_ws(' ', ${WHO_PARTS.map(part => (parts.includes(part) ? WHO_ANSWERS[part] : "'-'")).join(', ')})`
