/**
 * A failover of a cluster that somebody else manages, for people.
 */
import type { Judgement } from '../measure/claims.ts'
import type { MeasuredRecord, NodeAtEnd } from '../measure/measured.ts'
import { parseServer, type Look } from '../measure/takeover.ts'
import { messageOf } from '../errors.ts'
import { narrateFailover } from './failover.ts'
import { counted, formatMs } from './format.ts'
import type { Narrator } from './narrator.ts'

/** Who is there before anything is done, and what cannot be seen of them. */
export function narrateSurvey(
  narrate: Narrator,
  { seen, unseen }: { readonly seen: readonly (Look | Asked)[]; readonly unseen: readonly string[] },
): void {
  narrate.table(
    ['server', 'role', 'own address', 'timeline'],
    seen.map(one => {
      if (!('server' in one)) return [one.node, 'silent', messageOf(one.error), '']
      const { address, timeline } = parseServer(one.server)
      return [one.node, one.isInRecovery ? 'standby' : 'primary', address ?? 'not seen', String(timeline ?? '')]
    }),
  )
  for (const what of unseen) narrate.say(`not seen: ${what}`)
}

interface Asked {
  readonly node: string
  readonly error: unknown
}

/** Prints the record: as of a failover of the lab, with what there is more, and what could not be seen. */
export function narrateMeasured(narrate: Narrator, record: MeasuredRecord): void {
  const { action, outageMs, longestOutageMs, change, oldPrimary, newPrimary } = record
  narrate.say(`command        ${endOf(action)}`)
  narrate.say(`change         ${CHANGES[change]}${newPrimary === null ? '' : `: ${oldPrimary} to ${newPrimary}`}`)
  narrateFailover(narrate, record)
  if (longestOutageMs === null) narrate.say('silence        goes on: the last writes were not acknowledged')
  else if (longestOutageMs !== outageMs)
    narrate.say(`silence        ${formatMs(longestOutageMs)} at most without an acknowledgement since the command`)
  for (const node of record.nodesAtEnd) narrateNode(narrate, record, node)
  for (const what of record.unseen) narrate.say(`not seen       ${what}`)
}

const CHANGES: Readonly<Record<MeasuredRecord['change'], string>> = {
  failover: 'failover',
  restart: 'no failover: the same server was restarted, and serves again',
  none: 'no failover was seen',
}

const endOf = ({ exitCode, returnedAfterMs }: MeasuredRecord['action']): string => {
  if (returnedAfterMs === null) return 'had not ended when the measurement did, and was ended'
  const how = exitCode === null ? 'was ended by a signal' : `exited with ${exitCode}`
  return `${how} after ${formatMs(returnedAfterMs)}${exitCode === 0 ? '' : ': it may not have done what it was to do'}`
}

/** A second server that accepts writes, or has rows that the primary has not, is what nobody wants. */
function narrateNode(narrate: Narrator, record: MeasuredRecord, { node, role, server, rowsOnlyHere }: NodeAtEnd): void {
  const isNew = role === 'primary' && server?.address === record.servers.after?.address
  const isSame = record.servers.after === null && server?.address === record.servers.before.address
  const only =
    rowsOnlyHere === null ? '' : `, has ${counted(rowsOnlyHere, 'row')} of this run that the new primary has not`
  const line = `at the end     ${node} is ${role === 'unreachable' ? 'not reachable' : `a ${role}`}${only}`
  if (role === 'primary' && !isNew && !isSame) narrate.loss(`${line}: it accepts writes beside the new primary`)
  else if ((rowsOnlyHere ?? 0) > 0) narrate.loss(line)
  else narrate.say(line)
}

/** What was claimed, and whether it holds. */
export function narrateClaims(narrate: Narrator, claims: readonly Judgement[]): void {
  for (const { claim, held, why } of claims) {
    const line = `claim          ${claim}: ${held === null ? 'not known' : held ? 'holds' : 'does not hold'}, ${why}`
    if (held === false) narrate.loss(line)
    else narrate.say(line)
  }
}
