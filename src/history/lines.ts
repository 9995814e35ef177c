/**
 * A history as JSON Lines: what it is, then a line for each write and each error, in the order in which they were kept.
 * So that it can be judged again without the lab, and without the database. Pure.
 */
import { LabError, messageOf } from '../errors.ts'
import type { ConnectionError, History, Outcome, Write } from './history.ts'

/** The lines, without their ends: a history of a million writes is never one text. Instants are milliseconds since its start. */
export function* historyLines({ run, writes, connectionErrors, startedAt, stoppedAt }: History): Generator<string> {
  yield JSON.stringify({ kind: 'run', version: 1, run, stoppedAt: stoppedAt - startedAt })
  for (const { id, dueAt, sentAt, settledAt, outcome, server } of writes) {
    const { kind: is, ...refused } = outcome
    const instants = { dueAt: dueAt - startedAt, sentAt: sentAt - startedAt, settledAt: settledAt - startedAt }
    yield JSON.stringify({ kind: 'write', id, ...instants, outcome: is, ...refused, server })
  }
  for (const { at, code } of connectionErrors) yield JSON.stringify({ kind: 'error', at: at - startedAt, code })
}

/** Reads the lines back; a file may hold several histories. @throws LabError USAGE for a line that is none */
export function parseHistories(lines: Iterable<string>): History[] {
  const histories: Growing[] = []
  let number = 0
  for (const text of lines) {
    number++
    if (text.trim() === '') continue
    const line = new Line(text, number)
    const current = histories.at(-1)
    switch (line.oneOf('kind', ['run', 'write', 'error'])) {
      case 'run':
        if (line.number('version') !== 1) throw line.error('is of a version that this lab does not know')
        histories.push({
          ...{ run: line.text('run'), writes: [], connectionErrors: [] },
          ...{ startedAt: 0, stoppedAt: line.number('stoppedAt') },
        })
        break
      case 'write':
        if (current === undefined) throw line.error('comes before a line of the kind run')
        current.writes.push(asWrite(line))
        break
      case 'error':
        if (current === undefined) throw line.error('comes before a line of the kind run')
        current.connectionErrors.push({ at: line.number('at'), code: line.text('code') })
    }
  }
  return histories
}

interface Growing extends History {
  readonly writes: Write[]
  readonly connectionErrors: ConnectionError[]
}

function asWrite(line: Line): Write {
  const kind = line.oneOf('outcome', ['acknowledged', 'failed', 'indeterminate'])
  const outcome: Outcome = kind === 'acknowledged' ? { kind } : { kind, code: line.text('code'), ...severityIn(line) }
  const instants = { dueAt: line.number('dueAt'), sentAt: line.number('sentAt'), settledAt: line.number('settledAt') }
  const server = line.has('server') ? { server: line.text('server') } : {}
  return { id: line.number('id'), ...instants, outcome, ...server }
}

const severityIn = (line: Line): { readonly severity?: string } =>
  line.has('severity') ? { severity: line.text('severity') } : {}

/** A line and its fields, each of which must be what it is asked for as. */
class Line {
  readonly #fields: Readonly<Record<string, unknown>>
  readonly #at: number

  constructor(text: string, at: number) {
    this.#at = at
    let parsed: unknown
    try {
      parsed = JSON.parse(text)
    } catch (error) {
      throw this.error(`is no JSON: ${messageOf(error)}`)
    }
    if (typeof parsed !== 'object' || parsed === null) throw this.error('is no JSON object')
    this.#fields = { ...parsed }
  }

  error(fact: string): LabError {
    return new LabError('USAGE', `line ${this.#at} ${fact}`, { hint: 'It must be a file that --history wrote.' })
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#fields, name)
  }

  number(name: string): number {
    const value = this.#fields[name]
    if (typeof value !== 'number') throw this.error(`has no number "${name}"`)
    return value
  }

  text(name: string): string {
    const value = this.#fields[name]
    if (typeof value !== 'string') throw this.error(`has no text "${name}"`)
    return value
  }

  oneOf<T extends string>(name: string, words: readonly T[]): T {
    const word = words.find(known => known === this.#fields[name])
    if (word === undefined) throw this.error(`has no "${name}" that is ${words.join(', ')}`)
    return word
  }
}
