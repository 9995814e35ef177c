/**
 * `command: postgres -c 'a b'` as Compose splits it into words.
 * https://github.com/mattn/go-shellwords, without its variables and backticks, which Compose does not turn on
 */

/** @throws Error when a quote is not closed, or a parenthesis is there */
export function shellWords(line: string): string[] {
  const words: string[] = []
  let word: string | undefined
  const append = (text: string): void => {
    word = (word ?? '') + text
  }
  for (const [token, escaped, single, double] of line.matchAll(TOKEN)) {
    if (escaped !== undefined) append(escaped)
    else if (single !== undefined) append(single)
    else if (double !== undefined) append(double.replace(/\\([^])/g, '$1'))
    else if (/^\s/.test(token)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (/[;&|<>]/.test(token)) {
      if (token === '>' && /^\d/.test(word ?? '')) word = undefined // `2>`: the number of a file
      break
    } else if (/^['"()\\]/.test(token)) throw new Error(`${token} stands alone in it`)
    else append(token)
  }
  return word === undefined ? words : [...words, word]
}

const TOKEN = /\\([^])|'([^']*)'|"((?:\\[^]|[^"\\])*)"|\$\([^)]*\)|[ \t\r\n]+|[^]/g
