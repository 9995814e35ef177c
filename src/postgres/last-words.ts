/**
 * What a server said last, and why: the line that tells the reason is rarely among the last three.
 */

/** Enough of a log that the reason is in it: what a server says between that and its end. */
export const LAST_LOG_LINES = 200

/** Refused clients and the like: the server itself went on. https://www.postgresql.org/docs/current/errcodes-appendix.html, classes 28, 3D, 57P03, 53300 */
const OF_A_CLIENT =
  /FATAL: {2}(?:the database system is|terminating |password authentication|role "|database "|no pg_hba|sorry, too many|remaining connection|connection to client|canceling)/

const REASON = /\b(?:FATAL|PANIC): /
const MORE = /\b(?:DETAIL|HINT|CONTEXT): |^\t/

/** What it said in an earlier life is no reason for its end. */
const BIRTH = /\bLOG: {2}starting PostgreSQL /

/** The last FATAL or PANIC of the server's own since it was started, with its DETAIL and HINT, then the last three lines. */
export function lastWords(log: string): string {
  const said = log.split('\n').filter(line => line.trim() !== '')
  const lines = said.slice(
    Math.max(
      0,
      said.findLastIndex(line => BIRTH.test(line)),
    ),
  )
  const isReason = (line = ''): boolean => REASON.test(line) && !OF_A_CLIENT.test(line)
  let at = lines.findLastIndex(isReason)
  while (isReason(lines[at - 1])) at-- // a PANIC about a FATAL tells less than that
  const lastThree = Math.max(0, lines.length - 3)
  if (at === -1 || at >= lastThree) return lines.slice(lastThree).join('\n')
  let end = at + 1
  while (end < lastThree && (MORE.test(lines[end] ?? '') || isReason(lines[end]))) end++
  return [...lines.slice(at, end), ...lines.slice(lastThree)].join('\n')
}
