/**
 * Text of others (names, messages, logs) for a terminal, which would do what escape sequences in it say.
 */

/** What moves the cursor, sets titles, asks for answers; tabs and line ends stay, and colour where it is ours. */
// eslint-disable-next-line no-control-regex -- they are what is looked for
const CONTROLS = /\u001b(?!\[[\d;]*m)|[\u0000-\u0008\u000b-\u001a\u001c-\u001f\u007f-\u009f]/g

// eslint-disable-next-line no-control-regex -- as above
const COLOURS = /\u001b\[[\d;]*m/g

/** For what the lab prints itself, with its own colours. */
export const withoutControls = (text: string): string => text.replace(CONTROLS, '')

/** For what is passed on. */
export const withoutEscapes = (text: string): string => withoutControls(text).replace(COLOURS, '')

/** Hands on whole lines, each with a mark before it: several logs at once are told apart by it. */
export function marked(mark: string, write: (text: string) => unknown): (text: string) => void {
  let rest = ''
  return text => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    if (lines.length > 0) write(lines.map(line => `${mark}${line}\n`).join(''))
  }
}
