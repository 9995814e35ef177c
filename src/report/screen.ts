/**
 * The whole terminal, drawn in place: on the alternate screen, so that what was there before is there afterwards.
 * Sequences: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html
 */

const ALTERNATE_SCREEN = '\x1b[?1049h'
const HIDE_CURSOR = '\x1b[?25l'
const NO_WRAP = '\x1b[?7l' // a line that is too wide all the same is cut by the terminal, and does not push the others down
const OPEN = ALTERNATE_SCREEN + HIDE_CURSOR + NO_WRAP
const CLOSE = '\x1b[?7h\x1b[?25h\x1b[?1049l'
const HOME = '\x1b[H'
const CLEAR_REST_OF_LINE = '\x1b[K'
const CLEAR_BELOW = '\x1b[J'

export interface Screen extends Disposable {
  readonly columns: number
  readonly rows: number
  /** Replaces what is shown by these lines, in one write, and nothing is cleared that is written again: no flicker. */
  draw(lines: readonly string[]): void
}

/** Takes the terminal until it is disposed of, or the process exits by itself. */
export function openScreen(stream: NodeJS.WriteStream): Screen {
  let isOpen = true
  let shown = ''
  const close = (): void => {
    if (isOpen) stream.write(CLOSE)
    isOpen = false
    process.off('exit', close)
  }
  const forget = (): void => void (shown = '')
  process.once('exit', close)
  stream.on('resize', forget)
  stream.write(OPEN)
  return {
    // A pseudo-terminal that nobody gave a size says 0.
    get columns() {
      return stream.columns || 80
    },
    get rows() {
      return stream.rows || 24
    },
    draw: lines => {
      const frame = HOME + lines.map(line => line + CLEAR_REST_OF_LINE).join('\r\n') + CLEAR_BELOW
      if (frame !== shown && isOpen) stream.write(frame)
      shown = frame
    },
    [Symbol.dispose]: () => {
      stream.off('resize', forget)
      close()
    },
  }
}

/**
 * Calls `onKey` for each character typed, at once and without showing it, until it is disposed of. Needs a terminal.
 * Ctrl-C is a character like any other then; it ends the process as it does elsewhere.
 */
export function readKeys(stream: NodeJS.ReadStream, onKey: (key: string) => void): Disposable {
  const read = (typed: string): void => {
    for (const key of typed) {
      if (key === CTRL_C) process.kill(process.pid, 'SIGINT')
      else onKey(key)
    }
  }
  const wasRaw = stream.isRaw
  stream.setRawMode(true).setEncoding('utf8').on('data', read).resume()
  return {
    [Symbol.dispose]: () => {
      stream.off('data', read).pause()
      stream.setRawMode(wasRaw)
    },
  }
}

const CTRL_C = '\u0003'
