/**
 * How the tables of a node that parted from today's primary differ from the primary's, and what of that SQL can bring back. Pure.
 */
import { literal } from '../../postgres/sql.ts'

export type RowDifference =
  | { readonly kind: 'missing'; readonly table: string; readonly key: string; readonly row: string }
  /** Both have it, and not alike: who is right, nobody but its owner can tell. */
  | {
      readonly kind: 'changed'
      readonly table: string
      readonly key: string
      readonly row: string
      readonly onPrimary: string
    }
  /** It was there at the fork, and the node has deleted it since. */
  | { readonly kind: 'deleted'; readonly table: string; readonly key: string; readonly onPrimary: string }

export interface TableComparison {
  readonly table: string
  readonly missing: number
  readonly changed: number
  readonly deleted: number
}

export interface Comparison {
  readonly tables: readonly TableComparison[]
  readonly uncompared: readonly { readonly table: string; readonly why: string }[]
  /** Keys and rows as JSON. */
  readonly rows: readonly RowDifference[]
  /** By table, those that an INSERT may name, quoted. */
  readonly columns: Readonly<Record<string, string>>
  /** Without the WAL around the fork nobody can tell a row that the node has deleted from one that the primary has made since. */
  readonly areDeletionsKnown: boolean
}

/** Reads what replica-entrypoint/salvage.sh calls differences, a line at a time. */
export async function readDifferences(lines: AsyncIterable<string>): Promise<Comparison> {
  let nextXid = 0
  const columns: Record<string, string> = {}
  const uncompared: { table: string; why: string }[] = []
  const ours = new Map<string, { table: string; key: string; row: string }>()
  const theirs = new Map<string, { table: string; key: string; row: string; xmin: number }>()
  for await (const line of lines) {
    const [kind, ...fields] = line.split('\t').map(unescape)
    const [table = '', key = '', row = '', xmin = ''] = fields
    if (kind === 'next') nextXid = Number(table)
    else if (kind === 'table') columns[table] = key
    else if (kind === 'uncompared') uncompared.push({ table, why: key })
    else if (kind === 'ours') ours.set(`${table}\t${key}`, { table, key, row })
    else if (kind === 'theirs') theirs.set(`${table}\t${key}`, { table, key, row, xmin: Number(xmin) })
  }
  const rows: RowDifference[] = []
  for (const [id, own] of ours) {
    const other = theirs.get(id)
    rows.push(other === undefined ? { kind: 'missing', ...own } : { kind: 'changed', ...own, onPrimary: other.row })
  }
  for (const [id, { table, key, row, xmin }] of theirs) {
    if (!ours.has(id) && xmin < nextXid) rows.push({ kind: 'deleted', table, key, onPrimary: row })
  }
  const count = (table: string, kind: RowDifference['kind']): number =>
    rows.filter(row => row.table === table && row.kind === kind).length
  const tables = Object.keys(columns).map(table => ({
    ...{ table, missing: count(table, 'missing'), changed: count(table, 'changed'), deleted: count(table, 'deleted') },
  }))
  return { tables, uncompared, rows, columns, areDeletionsKnown: nextXid > 0 }
}

/** COPY doubles backslashes; JSON has none of the other characters that it escapes. */
const unescape = (field: string): string => field.replaceAll('\\\\', '\\')

/**
 * A script for psql, which may run twice: it inserts what is missing, unless something with that key has come since; what was
 * changed or deleted is told in comments, and left to who knows the data.
 * @example
 * ```ts
 * const compared = await compareWithPrimary(cluster, 'primary', { timeoutMs: 300_000 })
 * const sql = comparisonScript(compared, ['what the old primary had'])
 * ```
 */
export function comparisonScript({ rows, columns }: Comparison, header: readonly string[]): string {
  const statements = rows.map(difference => {
    const { table, key } = difference
    switch (difference.kind) {
      case 'missing':
        return `INSERT INTO ${table} (${columns[table]}) OVERRIDING SYSTEM VALUE\n  SELECT ${columns[table]} FROM json_populate_record(NULL::${table}, ${literal(difference.row)})\n  ON CONFLICT DO NOTHING;`
      case 'changed':
        return `-- conflict: ${table} ${key}\n--   had here       ${difference.row}\n--   on the primary ${difference.onPrimary}`
      case 'deleted':
        return `-- deleted here: ${table} ${key}\n--   on the primary ${difference.onPrimary}`
    }
  })
  return [...header.map(line => `-- ${line}`), 'BEGIN;', ...statements, 'COMMIT;', ''].join('\n')
}
