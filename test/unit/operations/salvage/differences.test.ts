import { describe, expect, test } from 'vitest'
import { comparisonScript, readDifferences } from '../../../../src/operations/salvage/differences.ts'

async function* linesOf(...lines: readonly string[]): AsyncGenerator<string> {
  yield* lines
}

const NEXT = 'next\t750'
const TABLE = 'table\tpublic.t\tid, v'

describe('the rows that only one side has', () => {
  test('are missing, changed, or deleted, by key, and a row that the primary has made since is none of these', async () => {
    const { tables, rows, areDeletionsKnown } = await readDifferences(
      linesOf(
        NEXT,
        TABLE,
        'uncompared\tpublic.u\tit has no primary key',
        'ours\tpublic.t\t[1]\t{"id":1,"v":"a\\\\nb"}',
        'ours\tpublic.t\t[2]\t{"id":2,"v":"ours"}',
        'theirs\tpublic.t\t[2]\t{"id":2,"v":"theirs"}\t740',
        'theirs\tpublic.t\t[3]\t{"id":3,"v":"old"}\t749',
        'theirs\tpublic.t\t[4]\t{"id":4,"v":"new"}\t750',
      ),
    )
    expect(areDeletionsKnown).toBe(true)
    expect(tables).toEqual([{ table: 'public.t', missing: 1, changed: 1, deleted: 1 }])
    expect(rows).toEqual([
      { kind: 'missing', table: 'public.t', key: '[1]', row: '{"id":1,"v":"a\\nb"}' },
      {
        kind: 'changed',
        table: 'public.t',
        key: '[2]',
        row: '{"id":2,"v":"ours"}',
        onPrimary: '{"id":2,"v":"theirs"}',
      },
      { kind: 'deleted', table: 'public.t', key: '[3]', onPrimary: '{"id":3,"v":"old"}' },
    ])
  })

  test('are not called deleted when the WAL does not tell which transaction was the first past the fork', async () => {
    const { rows, areDeletionsKnown } = await readDifferences(
      linesOf('next\t0', TABLE, 'theirs\tpublic.t\t[3]\t{"id":3}\t749'),
    )
    expect({ rows, areDeletionsKnown }).toEqual({ rows: [], areDeletionsKnown: false })
  })

  test('become SQL that inserts what is missing, and only tells of the others', async () => {
    const comparison = await readDifferences(
      linesOf(
        NEXT,
        TABLE,
        `ours\tpublic.t\t[1]\t{"id":1,"v":"it's"}`,
        'ours\tpublic.t\t[2]\t{"id":2,"v":"ours"}',
        'theirs\tpublic.t\t[2]\t{"id":2,"v":"theirs"}\t740',
        'theirs\tpublic.t\t[3]\t{"id":3,"v":"old"}\t700',
      ),
    )
    const script = comparisonScript(comparison, ['a header'])
    const statements = script.split('\n').filter(line => !line.startsWith('--'))
    expect(statements.join('\n')).toBe(`BEGIN;
INSERT INTO public.t (id, v) OVERRIDING SYSTEM VALUE
  SELECT id, v FROM json_populate_record(NULL::public.t, '{"id":1,"v":"it''s"}')
  ON CONFLICT DO NOTHING;
COMMIT;
`)
    for (const told of [
      '-- a header',
      '-- conflict: public.t [2]',
      '{"id":2,"v":"theirs"}',
      '-- deleted here: public.t [3]',
    ])
      expect(script).toContain(told)
  })
})
