/**
 * The terminal: one stream, colour only where it is wanted, a spinner only where somebody watches.
 */
import kleur from 'kleur'
import spinner, { type Spinner } from 'yocto-spinner'
import { withoutControls } from './plain-text.ts'
import type { Variables } from '../topology/compose/interpolation.ts'

export interface Terminal {
  /** One line, or several. */
  readonly print: (text?: string) => void
  /** Shows that something goes on, until the next print; nothing where nobody watches. */
  readonly busy: (text: string) => void
  /** Ends what {@link Terminal.busy} shows. */
  readonly idle: () => void
  readonly style: Style
}

/** One accent colour, dim for context, red only for loss. */
export interface Style {
  accent(text: string): string
  dim(text: string): string
  loss(text: string): string
  bold(text: string): string
}

/** What is printed goes through `reword`. https://no-color.org, and FORCE_COLOR as node knows it. */
export function createTerminal(
  stream: NodeJS.WriteStream,
  environment: Variables,
  reword: (text: string) => string = text => text,
): Terminal {
  const isWatched = stream.isTTY && environment['TERM'] !== 'dumb' && !environment['CI']
  kleur.enabled = environment['FORCE_COLOR']
    ? environment['FORCE_COLOR'] !== '0'
    : stream.isTTY && !environment['NO_COLOR'] && environment['TERM'] !== 'dumb'
  // handleSignals: false, or the spinner ends the process at Ctrl-C before anything is unwound.
  const start = (text: string): Spinner => spinner({ text, stream, handleSignals: false }).start()
  let current: Spinner | undefined
  const idle = (): void => {
    current?.stop()
    current = undefined
  }
  return {
    print: (text = '') => {
      const going = current?.text
      idle()
      stream.write(`${withoutControls(reword(text))}\n`)
      if (going !== undefined) current = start(going)
    },
    busy: text => {
      if (!isWatched) return
      if (current === undefined) current = start(text)
      else current.text = text
    },
    idle,
    style: {
      accent: text => kleur.cyan(text),
      dim: text => kleur.dim(text),
      loss: text => kleur.red(text),
      bold: text => kleur.bold(text),
    },
  }
}
