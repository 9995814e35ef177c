import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { historyLines, parseHistories } from '../../../src/history/lines.ts'
import type { History, Outcome } from '../../../src/history/history.ts'
import { catchLabError } from '../../support/catch-lab-error.ts'

const at = fc.double({ min: 0, max: 1e7, noNaN: true })
const code = fc.constantFrom('57P01', '25006', 'ECONNRESET', 'a "quoted"\ncode')
const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc.constant({ kind: 'acknowledged' } as const),
  fc.record({ kind: fc.constantFrom('failed', 'indeterminate'), code }),
  fc.record({
    kind: fc.constantFrom('failed', 'indeterminate'),
    code,
    severity: fc.constantFrom('ERROR', 'FATAL', 'PANIC'),
  }),
)
const history: fc.Arbitrary<History> = fc.record({
  run: fc.string({ unit: 'binary' }),
  writes: fc.array(
    fc.record(
      {
        id: fc.nat(),
        dueAt: at,
        sentAt: at,
        settledAt: at,
        outcome,
        server: fc.constantFrom('primary', '10.0.0.5:5432 2 7'),
      },
      { requiredKeys: ['id', 'dueAt', 'sentAt', 'settledAt', 'outcome'] },
    ),
    { maxLength: 10 },
  ),
  connectionErrors: fc.array(fc.record({ at, code }), { maxLength: 5 }),
  startedAt: at,
  stoppedAt: at,
})

/** What is kept: the same instants, counted from the start of the run. */
const fromItsStart = ({ run, writes, connectionErrors, startedAt, stoppedAt }: History): History => ({
  run,
  writes: writes.map(write => ({
    ...write,
    dueAt: write.dueAt - startedAt,
    sentAt: write.sentAt - startedAt,
    settledAt: write.settledAt - startedAt,
  })),
  connectionErrors: connectionErrors.map(error => ({ ...error, at: error.at - startedAt })),
  startedAt: 0,
  stoppedAt: stoppedAt - startedAt,
})

const RUN = '{"kind":"run","version":1,"run":"r","stoppedAt":9}'

describe('a history as lines', () => {
  test('is a line for the run, one for each write, and one for each error, with instants since its start', () => {
    const lines = historyLines({
      run: 'r',
      writes: [
        { id: 0, dueAt: 100, sentAt: 101, settledAt: 103.5, outcome: { kind: 'acknowledged' } },
        {
          id: 1,
          dueAt: 104,
          sentAt: 104,
          settledAt: 105,
          outcome: { kind: 'failed', code: '25006', severity: 'ERROR' },
        },
      ],
      connectionErrors: [{ at: 107, code: 'ECONNREFUSED' }],
      startedAt: 100,
      stoppedAt: 109,
    })
    expect([...lines]).toEqual([
      RUN,
      '{"kind":"write","id":0,"dueAt":0,"sentAt":1,"settledAt":3.5,"outcome":"acknowledged"}',
      '{"kind":"write","id":1,"dueAt":4,"sentAt":4,"settledAt":5,"outcome":"failed","code":"25006","severity":"ERROR"}',
      '{"kind":"error","at":7,"code":"ECONNREFUSED"}',
    ])
  })

  test('has no end of line inside a line, whatever is in it', () => {
    fc.assert(fc.property(history, one => [...historyLines(one)].every(line => !/[\r\n]/.test(line))))
  })

  test('is read back as it was, but that its instants count from its start', () => {
    fc.assert(
      fc.property(history, one => {
        expect(parseHistories(historyLines(one))).toEqual([fromItsStart(one)])
      }),
    )
  })

  test('is read back beside others in one file, each with its own writes', () => {
    fc.assert(
      fc.property(fc.array(history, { maxLength: 4 }), several => {
        const text = several.flatMap(one => [...historyLines(one)]).map(line => `${line}\n`)
        expect(parseHistories(text.join('').split('\n'))).toEqual(several.map(fromItsStart))
      }),
    )
  })

  test('is kept by writing it again: nothing changes the second time', () => {
    fc.assert(
      fc.property(history, one => {
        const lines = [...historyLines(one)]
        expect(parseHistories(lines).flatMap(again => [...historyLines(again)])).toEqual(lines)
      }),
    )
  })

  test('of nothing are none, and blank lines are nothing', () => {
    expect(parseHistories([])).toEqual([])
    expect(parseHistories(['', '  ', '\r'])).toEqual([])
  })
})

describe('lines that are no history', () => {
  test.each([
    ['no JSON', 'acknowledged 12', 'line 3 is no JSON'],
    ['a line cut short', RUN.slice(0, 20), 'line 3 is no JSON'],
    ['another kind', '{"kind":"fault"}', 'line 3 has no "kind" that is run, write, error'],
    ['no kind', '{}', 'line 3 has no "kind"'],
    ['null', 'null', 'line 3 is no JSON object'],
    ['a number', '7', 'line 3 is no JSON object'],
    ['a text', '"run"', 'line 3 is no JSON object'],
    ['a list', '["run"]', 'line 3 has no "kind"'],
    ['a write of nothing', '{"kind":"write"}', 'line 3 has no "outcome" that is acknowledged, failed, indeterminate'],
    ['an outcome that is none', '{"kind":"write","id":1,"outcome":"lost"}', 'line 3 has no "outcome"'],
    ['a failure without its code', '{"kind":"write","id":1,"outcome":"failed"}', 'line 3 has no text "code"'],
    ['a later version', '{"kind":"run","version":2}', 'line 3 is of a version that this lab does not know'],
  ])('are refused by their number, blank lines counted: %s', async (_, line, fact) => {
    const error = await catchLabError('USAGE', () => parseHistories([RUN, '', line]))
    expect(error.message).toContain(fact)
    expect(error.hint).toContain('--history')
  })

  test.each(['{"kind":"write","id":0,"outcome":"acknowledged"}', '{"kind":"error","at":1,"code":"57P01"}'])(
    'are refused when they belong to no run: %s',
    async line => {
      const error = await catchLabError('USAGE', () => parseHistories([line, RUN]))
      expect(error.message).toBe('line 1 comes before a line of the kind run')
    },
  )

  test('of any text at all are refused with USAGE, or are no lines', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), text => {
        fc.pre(text.trim() !== '')
        expect(() => parseHistories([text])).toThrow(expect.objectContaining({ code: 'USAGE' }))
      }),
    )
  })
})
