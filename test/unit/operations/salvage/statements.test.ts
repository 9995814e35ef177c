import { describe, expect, test } from 'vitest'
import { statements } from '../../../../src/operations/salvage/statements.ts'
import { parseLsn } from '../../../../src/postgres/lsn.ts'

const RUN = 'b80227e4-a535-4162-b50e-f41ad4b1d49a'
const FROM = {
  node: 'primary',
  timeline: 1,
  forkLsn: parseLsn('0/3000148'),
  forkTimeline: 1,
  primary: { name: 'replica1', timeline: 2 },
}

async function scriptFor(count: number): Promise<string> {
  const lines = async function* (): AsyncGenerator<string> {
    for (let id = 1; id <= count; id++) yield `${RUN}\t${id}\t2026-11-21 12:00:00.5+00`
  }
  let script = ''
  for await (const piece of statements(lines(), { from: FROM, rows: count, date: new Date(0) })) script += piece
  return script
}

describe('lost rows as SQL', () => {
  test('say what they are: node, timeline, fork, date, number', async () => {
    const [header = ''] = (await scriptFor(3)).split('BEGIN;')
    const facts = [
      'primary',
      'timeline  1',
      '0/3000148 on timeline 1, where it parts from timeline 2 of replica1',
      '1970-01-01T00:00:00.000Z',
      'rows      3',
    ]
    for (const fact of facts) expect(header).toContain(fact)
    expect(
      header
        .trimEnd()
        .split('\n')
        .every(line => line.startsWith('--')),
    ).toBe(true)
  })

  test.each([
    [0, 0],
    [1, 1],
    [1_000, 1],
    [1_001, 2],
  ])('%i rows are in %i statements, each row once, and in one transaction', async (count, inserts) => {
    const script = await scriptFor(count)
    expect(script.match(/^INSERT INTO salvaged /gm) ?? []).toHaveLength(inserts)
    const ids = [...script.matchAll(/^ {2}\('[0-9a-f-]+', '(\d+)', '2026-11-21 12:00:00\.5\+00'\)[,;]$/gm)].map(
      ([, id]) => Number(id),
    )
    expect(ids).toEqual(Array.from({ length: count }, (_, at) => at + 1))
    expect(script.match(/^(BEGIN|COMMIT);$/gm)).toEqual(['BEGIN;', 'COMMIT;'])
  })
})
