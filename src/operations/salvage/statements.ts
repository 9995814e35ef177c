/**
 * Lost rows as SQL. Pure.
 */
import { formatLsn } from '../../postgres/lsn.ts'
import { literal } from '../../postgres/sql.ts'
import type { PastFork } from './past-fork.ts'

export interface Header {
  readonly from: Pick<PastFork, 'node' | 'timeline' | 'forkLsn' | 'forkTimeline' | 'primary'>
  readonly rows: number
  /** Of the reading. */
  readonly date: Date
}

/** Rows of one INSERT. */
const ROWS_EACH = 1_000

/**
 * A script for psql, piece by piece. `lines` are rows of lab.writes as COPY prints them: run, id and time, a tab between.
 * All of it is one transaction. The table has no key that ON CONFLICT could go by, so rows that are back already are taken
 * off first: replayed twice, nothing is there twice.
 */
export async function* statements(lines: AsyncIterable<string>, header: Header): AsyncGenerator<string> {
  yield head(header)
  let values: string[] = []
  for await (const line of lines) {
    values.push(valuesOf(line))
    if (values.length < ROWS_EACH) continue
    yield insert(values)
    values = []
  }
  if (values.length > 0) yield insert(values)
  yield FOOT
}

const head = ({ from, rows, date }: Header): string => `\
-- Rows of lab.writes that only ${from.node} had when it was replaced as the primary. Its rejoin erases them there.
--   node      ${from.node}
--   timeline  ${from.timeline}
--   fork      ${formatLsn(from.forkLsn)} on timeline ${from.forkTimeline}, where it parts from timeline ${from.primary.timeline} of ${from.primary.name}
--   date      ${date.toISOString()}
--   rows      ${rows}
-- Their clients may have been told that they were written, or that they were not, or nothing. To bring them back, on the
-- primary: psql -f this file. Once more does no harm.
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE SCHEMA IF NOT EXISTS lab;
CREATE TABLE IF NOT EXISTS lab.writes (run uuid NOT NULL, id integer NOT NULL, at timestamptz NOT NULL DEFAULT now());
CREATE TEMPORARY TABLE salvaged (run uuid, id integer, at timestamptz) ON COMMIT DROP;
`

const FOOT = `\
INSERT INTO lab.writes (run, id, at)
SELECT run, id, at FROM salvaged EXCEPT ALL SELECT run, id, at FROM lab.writes
ON CONFLICT DO NOTHING;
COMMIT;
`

const insert = (values: readonly string[]): string => `INSERT INTO salvaged VALUES\n${values.join(',\n')};\n`

/** None of the three types prints anything that COPY escapes. */
const valuesOf = (line: string): string => `  (${line.split('\t').map(literal).join(', ')})`
