import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Lsn } from '../../../src/postgres/lsn.ts'
import { compareHistories, hasPast, nodeHistory, type NodeHistory } from '../../../src/postgres/node-history.ts'
import { mayStartWritable, type Electorate, type SeenNode, type StartAs } from '../../../src/postgres/start-writable.ts'

/** Where each timeline was left, and where the last one ends: `at([1, 20], [2, 30])` is on 2, at 30. */
const at = (...stretches: readonly (readonly [timeline: number, end: number])[]): NodeHistory => {
  const [timeline, end] = stretches.at(-1)!
  const switches = stretches.slice(0, -1).map(([of, fork]) => ({ timeline: of, forkLsn: BigInt(fork) as Lsn }))
  return nodeHistory({ systemIdentifier: '7', timeline, switches, endLsn: BigInt(end) as Lsn })
}

const a = (history: NodeHistory, acceptsWrites = false): SeenNode => ({ name: 'a', history, acceptsWrites })
const b = (history: NodeHistory, acceptsWrites = false): SeenNode => ({ name: 'b', history, acceptsWrites })
const c = (history: NodeHistory, acceptsWrites = false): SeenNode => ({ name: 'c', history, acceptsWrites })
const ABC: Electorate = { electors: ['a', 'b', 'c'], withoutData: [] }

describe('a former primary', () => {
  test.each<readonly [string, NodeHistory, readonly SeenNode[], Partial<Electorate>, Partial<StartAs>]>([
    ['alone stays read-only', at([1, 20]), [], {}, { role: 'reader' }],
    ['goes on with one standby of two', at([1, 20]), [b(at([1, 20]))], {}, { role: 'primary' }],
    ['goes on when all others have no data', at([1, 20]), [], { withoutData: ['b', 'c'] }, { role: 'primary' }],
    ['stays read-only when one has no data, one is away', at([1, 20]), [], { withoutData: ['b'] }, { role: 'reader' }],
    [
      'does not count a node that was added',
      at([1, 20]),
      [{ ...b(at([1, 20])), name: 'added' }],
      {},
      { role: 'reader', why: 'it has seen 1 of a, b, c, which is no majority' },
    ],
    [
      'does not count a node of another cluster',
      at([1, 20]),
      [b({ ...at([1, 20]), systemIdentifier: '8' })],
      {},
      { role: 'reader' },
    ],
    [
      'becomes a standby where another was promoted from what it had, primary or not',
      at([1, 20]),
      [b(at([1, 20], [2, 30]))],
      {},
      { role: 'standby', of: 'b' },
    ],
    [
      'stays read-only where it wrote past the place where another was promoted',
      at([1, 25]),
      [b(at([1, 20], [2, 30]), true)],
      {},
      { role: 'reader', why: 'b has a history that does not contain its own' },
    ],
    ['goes on past those of an abandoned history', at([1, 20], [2, 30]), [b(at([1, 25]))], {}, { role: 'primary' }],
    [
      'does not go on beside a primary, however old, nor follows it',
      at([1, 20], [2, 30]),
      [b(at([1, 25]), true), c(at([1, 20], [2, 30]))],
      {},
      { role: 'reader' },
    ],
    [
      'does not follow a primary on a timeline of the same number',
      at([1, 20]),
      [b(at([1, 30]), true)],
      {},
      { role: 'reader' },
    ],
    [
      'whose end was lost does not go on beside a standby which has it, nor follows that',
      at([1, 20]),
      [b(at([1, 30]))],
      {},
      { role: 'reader' },
    ],
    [
      'tells two promotions that chose one number apart',
      at([1, 20], [2, 30]),
      [b(at([1, 25], [2, 40]), true)],
      {},
      { role: 'reader' },
    ],
  ])('%s', (_, own, peers, electorate, expected) => {
    expect(mayStartWritable(a(own), peers, { ...ABC, ...electorate })).toMatchObject(expected)
  })
})

/** A tree of promotions: each node continues an earlier history, from somewhere in its last stretch, or goes further on it. */
const histories = fc
  .array(fc.record({ from: fc.nat(), promoted: fc.boolean(), step: fc.integer({ min: 0, max: 9 }) }), {
    minLength: 2,
    maxLength: 7,
  })
  .map(moves => {
    const all: (readonly (readonly [number, number])[])[] = [[[1, 10]]]
    for (const { from, promoted, step } of moves) {
      const before = all[from % all.length]!
      const [timeline, end] = before.at(-1)!
      const rest = before.slice(0, -1)
      all.push(promoted ? [...before, [timeline + 1, end + step]] : [...rest, [timeline, end + step]])
    }
    return all.map(stretches => at(...stretches))
  })

const nodes = histories.map(all => all.map((history, n) => ({ ...a(history), name: `${n}` })))

describe('whatever was promoted where', () => {
  test('of nodes that see each other those go on which have the newest history, and no other', () => {
    fc.assert(
      fc.property(nodes, all => {
        const electors = all.map(({ name }) => name)
        for (const own of all) {
          const peers = all.filter(({ name }) => name !== own.name)
          const { role } = mayStartWritable(own, peers, { electors, withoutData: [] })
          const isNewest = peers.every(({ history }) => compareHistories(own.history, history) >= 0)
          expect(role === 'primary').toBe(isNewest)
        }
      }),
    )
  })

  test('started in any order, seeing any others beside those that run, one accepts writes', () => {
    fc.assert(
      fc.property(nodes, fc.infiniteStream(fc.boolean()), (all, sees) => {
        const electors = all.map(({ name }) => name)
        const running = new Map<string, SeenNode>()
        for (const own of all) {
          const others = all.filter(({ name }) => name !== own.name && (running.has(name) || sees.next().value))
          const peers = others.map(peer => running.get(peer.name) ?? peer)
          const { role } = mayStartWritable(own, peers, { electors, withoutData: [] })
          running.set(own.name, { ...own, acceptsWrites: role === 'primary' })
        }
        expect([...running.values()].filter(({ acceptsWrites }) => acceptsWrites).length).toBeLessThanOrEqual(1)
      }),
    )
  })

  test('none becomes the standby of one whose history does not contain its own', () => {
    fc.assert(
      fc.property(nodes, fc.nat(), (all, at) => {
        const electors = all.map(({ name }) => name)
        const seen = all.map((node, n) => ({ ...node, acceptsWrites: n === at % all.length }))
        for (const own of seen) {
          const verdict = mayStartWritable(
            own,
            seen.filter(peer => peer !== own),
            { electors, withoutData: [] },
          )
          if (verdict.role !== 'standby') continue
          const followed = seen.find(({ name }) => name === verdict.of)!
          expect(hasPast(own.history, followed.history)).toBe(false)
        }
      }),
    )
  })
})
