/**
 * The narrator of demos and commands: what is done and why, and the very SQL and commands that ran.
 */
import type { ClusterEvent } from '../cluster/cluster.ts'
import { formatTable } from './format.ts'
import type { Terminal } from './terminal.ts'

export class Narrator {
  /** The command line that is narrated, as it was typed: what is kept of it says so. */
  readonly command: string | undefined
  readonly #terminal: Terminal
  #steps = 0
  #isHushed = false
  #failure: { readonly error: unknown } | undefined
  #measured: object | undefined

  constructor(terminal: Terminal, command?: string) {
    this.#terminal = terminal
    this.command = command
  }

  /** What went wrong beside the work itself: it is told when all that was found out is. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure
  }

  failAtEnd(error: unknown): void {
    this.#failure ??= { error }
  }

  /** What was measured. It is the `--json` document whatever comes after it: a failure, or an interruption. */
  get measured(): object | undefined {
    return this.#measured
  }

  keep(measured: object): void {
    this.#measured = measured
  }

  title(text: string): void {
    this.#terminal.print(this.#terminal.style.bold(text))
  }

  /** Which runtime, and why. */
  choice(text: string): void {
    this.#terminal.print(this.#terminal.style.dim(text))
  }

  /** Begins a numbered step: what is done, and why. */
  step(what: string, why?: string): void {
    const terminal = this.#terminal
    terminal.print()
    terminal.print(`${terminal.style.accent(`${++this.#steps}.`)} ${terminal.style.bold(what)}`)
    if (why !== undefined) terminal.print(`   ${terminal.style.dim(why)}`)
    terminal.busy(what)
  }

  /** The paragraph at the end of a lesson. */
  learnt(text: string): void {
    this.#terminal.print()
    this.#terminal.print(this.#terminal.style.bold('What was learnt'))
    this.say(wrapped(text, LINE_LENGTH))
  }

  /** A fact that was observed. */
  say(text: string): void {
    for (const line of text.split('\n')) this.#terminal.print(line === '' ? '' : `   ${line}`)
  }

  /** Something acknowledged that is gone: the only red there is. */
  loss(text: string): void {
    this.say(this.#terminal.style.loss(text))
  }

  /** Rows in aligned columns under a heading. */
  table(heading: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
    const [head = '', ...body] = formatTable([heading, ...rows])
    this.say([this.#terminal.style.dim(head), ...body].join('\n'))
  }

  /** What a query returned, as psql shows it. */
  rows(rows: readonly Readonly<Record<string, unknown>>[]): void {
    const [first] = rows
    if (first === undefined) return this.say('(0 rows)')
    this.table(
      Object.keys(first),
      rows.map(row => Object.values(row).map(formatValue)),
    )
  }

  /** From now on operations show only that they go on, until it is disposed of: for what is done many times. */
  hush(): Disposable {
    this.#isHushed = true
    return { [Symbol.dispose]: () => (this.#isHushed = false) }
  }

  /** Shows what an operation did. */
  event(event: ClusterEvent): void {
    if (this.#isHushed && event.kind !== 'progress') return
    const { style } = this.#terminal
    switch (event.kind) {
      case 'sql': {
        const [first = '', ...more] = event.text.trim().split('\n')
        return this.say(
          [
            `${style.dim(`${event.node}=>`)} ${style.accent(first)}`,
            ...more.map(line => `   ${style.accent(line)}`),
          ].join('\n'),
        )
      }
      case 'command':
        return this.say(`${style.dim('$')} ${style.accent(event.text)}`)
      case 'remark':
        return this.say(event.text)
      case 'progress':
        return this.#terminal.busy(event.text)
      case 'promoted':
        return // whoever promotes it tells more of it
    }
  }

  /** The end of the work that a spinner may still show. */
  done(): void {
    this.#terminal.idle()
  }
}

/** What is told, as plain text in lines: for a message. */
export function textOf(tell: (narrate: Narrator) => void): string {
  const lines: string[] = []
  const style = { accent: String, dim: String, loss: String, bold: String }
  const print = (text = ''): unknown => lines.push(text)
  tell(new Narrator({ print: text => void print(text), busy: () => undefined, idle: () => undefined, style }))
  return lines.join('\n')
}

function formatValue(value: unknown): string {
  if (value === null) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}

const LINE_LENGTH = 100

/** Words in lines of at most `length` characters. */
const wrapped = (text: string, length: number): string =>
  text.replace(new RegExp(`(.{1,${length}})(?: +|$)`, 'g'), (_, line: string) => `${line}\n`).trimEnd()
