import { PassThrough } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { describe, expect, test } from 'vitest'
import { createTerminal } from '../../../src/report/terminal.ts'

/** A stream that claims to be watched, or not, and what was written to it. */
function stream(isTTY: boolean): { readonly stream: NodeJS.WriteStream; readonly written: () => string } {
  const sink = new PassThrough({ encoding: 'utf8' })
  let written = ''
  sink.on('data', (chunk: string) => (written += chunk))
  const methods = { isTTY, columns: 80, clearLine: () => true, cursorTo: () => true, moveCursor: () => true }
  return { stream: Object.assign(sink, methods) as unknown as NodeJS.WriteStream, written: () => written }
}

describe('the terminal', () => {
  test('leaves Ctrl-C to whoever unwinds, also while it shows that something goes on', () => {
    const before = ['SIGINT', 'SIGTERM'].map(name => process.listenerCount(name))
    const terminal = createTerminal(stream(true).stream, { TERM: 'xterm' })
    terminal.busy('working')
    expect(['SIGINT', 'SIGTERM'].map(name => process.listenerCount(name))).toEqual(before)
    terminal.idle()
  })

  test('shows no spinner and no colour where nobody watches', () => {
    const { stream: sink, written } = stream(false)
    const terminal = createTerminal(sink, {})
    terminal.busy('working')
    terminal.print(terminal.style.accent('a fact'))
    terminal.idle()
    expect(written()).toBe('a fact\n')
  })

  test.each([
    [{ NO_COLOR: '1' }, true, false],
    [{ TERM: 'dumb' }, true, false],
    [{}, true, true],
    [{ FORCE_COLOR: '1' }, false, true],
  ])('with %j on a terminal that is watched (%s), colour is %s', (environment, isTTY, isColoured) => {
    const { style } = createTerminal(stream(isTTY).stream, environment)
    expect(style.accent('x') !== stripVTControlCharacters(style.accent('x'))).toBe(isColoured)
  })
})
