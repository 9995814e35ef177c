import { PassThrough } from 'node:stream'
import { Narrator } from '../../src/report/narrator.ts'
import { createTerminal } from '../../src/report/terminal.ts'

/** What a narrator prints, line by line, without the indentation; with colour if asked for. */
export function narrated(
  tell: (narrate: Narrator) => void,
  { inColour = false }: { readonly inColour?: boolean } = {},
): string[] {
  const sink = new PassThrough({ encoding: 'utf8' })
  let written = ''
  sink.on('data', (chunk: string) => (written += chunk))
  const stream = Object.assign(sink, { isTTY: false }) as unknown as NodeJS.WriteStream
  tell(new Narrator(createTerminal(stream, inColour ? { FORCE_COLOR: '1' } : {})))
  return written
    .trimEnd()
    .split('\n')
    .map(line => line.trim())
}

/** The cells of the line that begins with `name`; they are two blanks or more apart. */
export const cellsOf = (lines: readonly string[], name: string): string[] =>
  (lines.find(line => line.startsWith(name)) ?? '').split(/ {2,}/)
