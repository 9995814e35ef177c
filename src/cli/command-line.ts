/**
 * A command line as it was typed, for what is kept of it: it can be typed again, and has no password in it. Pure.
 */
import { withoutPasswords } from '../postgres/conninfo.ts'

/** Words in one line; what a shell would take apart is quoted. */
export const commandLine = (words: readonly string[]): string => words.map(withoutPasswords).map(quoted).join(' ')

/** https://pubs.opengroup.org/onlinepubs/9699919799/utilities/V3_chap02.html#tag_18_02 */
const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
