/**
 * Printing a file as it grows, as `tail -f` does.
 */
import { open } from 'node:fs/promises'
import { codeOf, isLabError, LabError } from '../../errors.ts'
import { pause } from '../../wait.ts'
import { lastLines } from '../command.ts'

/** Writes the last lines of the file, then what is added to it, until the signal fires. */
export async function followFile(
  path: string,
  write: (chunk: string) => void,
  { signal, lines }: { readonly signal: AbortSignal; readonly lines: number },
): Promise<void> {
  const file = await open(path).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error
    throw new LabError('NOT_RUNNING', 'there is no log yet', {
      hint: 'Bring the cluster up with pnpm run up.',
      cause: error,
    })
  })
  try {
    write(`${lastLines(await file.readFile('utf8'), lines)}\n`)
    for (;;) {
      const added = await file.readFile('utf8') // goes on where the last read ended
      if (added !== '') write(added)
      await pause(100, signal)
    }
  } catch (error) {
    if (!isLabError(error, 'INTERRUPTED')) throw error
  } finally {
    await file.close()
  }
}
