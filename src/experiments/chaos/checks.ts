/**
 * The checks of a round: evidence, and what is wrong with it, in sentences. Pure; each can fail by itself.
 */
import { isFollowing } from '../../cluster/conditions.ts'
import { FORMER } from '../../cluster/settings.ts'
import { synchronousStandbyNames, type SynchronousStandbys } from '../../postgres/synchronous.ts'
import type { NodeSessions, OwnResources, RoundEvidence } from './evidence.ts'
import type { ChaosAction } from './plan.ts'
import { WATCHER_NAME, type Acknowledgement } from './watcher.ts'

export interface Terms {
  readonly sync: SynchronousStandbys
  /** Of this process when the first round began. */
  readonly ownAtStart: OwnResources
  /** Which timeline is whose, of all rounds so far. The check adds to it. */
  readonly owners: Map<number, string>
}

type Check = (evidence: RoundEvidence, terms: Terms) => readonly string[]

/** Every check by its name. */
export const chaosChecks = {
  'one node acknowledges': (evidence, terms) => oneAcknowledges(evidence.acknowledgements, terms.owners),
  'no write is lost but those that the record tells of': losses,
  'what is gone is kept': keptSomewhere,
  'former runs are as they were': formerRuns,
  'every node streams': everyNodeStreams,
  'timelines only grow': timelinesGrow,
  'slots follow the roles': slots,
  'no setting is left over': settings,
  'no session is left open': ({ sessions }) => sessionsLeft(sessions),
  'no process and no file is left': traces,
  'this process keeps nothing': ownResources,
} satisfies Record<string, Check>

/** What is wrong, each with the name of its check before it. */
export const judgeRound = (evidence: RoundEvidence, terms: Terms): string[] =>
  Object.entries(chaosChecks).flatMap(([name, check]) => check(evidence, terms).map(fact => `${name}: ${fact}`))

/** All that can be said of a round that did not get to its end. */
export const judgeUnfinished = (all: readonly Acknowledgement[], { owners }: Terms): string[] =>
  oneAcknowledges(all, owners).map(fact => `one node acknowledges: ${fact}`)

/** Each timeline has one node that acknowledges on it; and once a newer one has acknowledged, nobody does on an older. */
function oneAcknowledges(all: readonly Acknowledgement[], owners: Map<number, string>): string[] {
  if (all.length === 0) return ['nobody was seen to acknowledge anything']
  return [...sharedTimelines(all, owners), ...lateOnOlder(all)]
}

/** Two nodes that acknowledged on one timeline. `owners` learns whose each is. */
export function sharedTimelines(all: readonly Acknowledgement[], owners: Map<number, string>): string[] {
  const wrong = new Set<string>()
  for (const { node, timeline } of all) {
    const owner = owners.get(timeline)
    if (owner === undefined) owners.set(timeline, node)
    else if (owner !== node) wrong.add(`${owner} and ${node} both acknowledged on timeline ${timeline}`)
  }
  return [...wrong]
}

function lateOnOlder(all: readonly Acknowledgement[]): string[] {
  const wrong = new Set<string>()
  const inOrder = [...all].sort((a, b) => a.settledAt - b.settledAt)
  let newest: Acknowledgement | undefined
  // Those sent when the newest was acknowledged already; a later one of the same timeline would only be a weaker witness.
  for (const late of inOrder) {
    if (newest !== undefined && late.timeline < newest.timeline && late.sentAt > newest.settledAt) {
      wrong.add(
        `${late.node} acknowledged on timeline ${late.timeline} after ${newest.node} did on timeline ${newest.timeline}`,
      )
    }
    if (newest === undefined || late.timeline > newest.timeline) newest = late
  }
  return [...wrong]
}

/** A crash of a primary that acknowledged alone. In no other action is a node promoted that lacks something. */
const MAY_LOSE: ReadonlySet<ChaosAction> = new Set<ChaosAction>([
  'crash',
  'rejoin',
  'frozen-primary',
  'isolated-primary',
])

function losses({ plan, isInterrupted, runs }: RoundEvidence, { sync }: Terms): string[] {
  return runs.flatMap(({ run, during, acknowledged, lostIds, unexpectedIds, duplicateIds, recordedLostIds = [] }) => {
    const wrong = acknowledged > 0 ? [] : [`nothing was acknowledged during the ${during}, so nothing could be lost`]
    const say = (ids: readonly number[], what: string): unknown =>
      ids.length > 0 && wrong.push(`${what}, of the run ${run} during the ${during}: ${someIds(ids)}`)
    if (sync !== 'asynchronous') say(lostIds, 'acknowledged by a synchronous standby, and gone')
    else if (during !== 'action' || !MAY_LOSE.has(plan.action))
      say(lostIds, `gone, although ${plan.action} loses nothing`)
    const recorded = new Set(recordedLostIds)
    const mayLackRecord = isInterrupted && during === 'action' && sync === 'asynchronous' && MAY_LOSE.has(plan.action)
    if (!mayLackRecord)
      say(
        lostIds.filter(id => !recorded.has(id)),
        'gone, and not in the record',
      )
    const lost = new Set(lostIds)
    say(
      recordedLostIds.filter(id => !lost.has(id)),
      'lost as the record says, and there',
    )
    say(unexpectedIds, 'there, although they certainly failed or were never tried')
    say(duplicateIds, 'there more than once')
    return wrong
  })
}

export const someIds = (ids: readonly number[]): string =>
  `${ids.slice(0, 5).join(', ')}${ids.length > 5 ? `, … (${ids.length} in all)` : ''}`

/** An acknowledged row is on the primary, or its node kept it before it was rewound or cloned. */
function keptSomewhere({ runs, kept }: RoundEvidence): string[] {
  const lost = runs.flatMap(({ lostIds }) => lostIds)
  const isKept = kept.some(({ records }) => records === null || records > 0)
  return lost.length === 0 || isKept ? [] : [`no node keeps the writes that are gone: ${someIds(lost)}`]
}

export function formerRuns({ changedRuns }: Pick<RoundEvidence, 'changedRuns'>): string[] {
  return changedRuns.flatMap(({ run, round, missingIds, appearedIds, multipliedIds }) => [
    ...(missingIds.length > 0 ? [`gone by now, of the run ${run} of round ${round}: ${someIds(missingIds)}`] : []),
    ...(appearedIds.length > 0 ? [`there by now, of the run ${run} of round ${round}: ${someIds(appearedIds)}`] : []),
    ...(multipliedIds.length > 0
      ? [`there more than once by now, of the run ${run} of round ${round}: ${someIds(multipliedIds)}`]
      : []),
  ])
}

export function everyNodeStreams({ nodes, expectedNodes }: Pick<RoundEvidence, 'nodes' | 'expectedNodes'>): string[] {
  const wrong: string[] = []
  const names = nodes.map(({ name }) => name)
  if (names.join() !== expectedNodes.join())
    wrong.push(`the nodes are ${names.join(', ')} instead of ${expectedNodes.join(', ')}`)
  const primaries = nodes.filter(({ role }) => role === 'primary')
  const [primary] = primaries
  if (primary === undefined || primaries.length > 1) return [...wrong, `${primaries.length} nodes are primaries`]
  for (const status of nodes) {
    if (status.role === 'unreachable') wrong.push(`${status.name} does not answer: ${status.reason}`)
    if (status.role !== 'standby') continue
    if (!isFollowing(status, primary)) wrong.push(`${status.name} does not stream from ${primary.name}`)
    if (status.replayPaused) wrong.push(`replay is paused on ${status.name}`)
    if (status.recoveryMinApplyDelayMs !== 0)
      wrong.push(`${status.name} applies ${status.recoveryMinApplyDelayMs} ms late`)
  }
  return wrong
}

export function timelinesGrow({ nodes, timelineBefore }: Pick<RoundEvidence, 'nodes' | 'timelineBefore'>): string[] {
  const primary = nodes.find(({ role }) => role === 'primary')
  if (primary === undefined || primary.role === 'unreachable' || primary.timeline >= timelineBefore) return []
  return [`the primary is on timeline ${primary.timeline}, and was on ${timelineBefore} before`]
}

function slots({ nodes }: RoundEvidence): string[] {
  return nodes.flatMap(status => {
    if (status.role === 'unreachable') return []
    const expected = status.role === 'primary' ? nodes.map(({ name }) => name).filter(name => name !== status.name) : []
    const there = status.slots.map(({ slotName }) => slotName)
    return [
      ...expected.filter(name => !there.includes(name)).map(name => `${status.name} has no slot for ${name}`),
      ...there
        .filter(name => !expected.includes(name))
        .map(name => `${status.name}, a ${status.role}, has a slot ${name} that nobody needs`),
      ...status.slots
        .filter(({ slotName, active }) => expected.includes(slotName) && !active)
        .map(({ slotName }) => `nobody uses the slot ${slotName} of ${status.name}`),
    ]
  })
}

/** What the lab sets for good, the scripts of the cluster do, and the soak for as long as it goes on. */
const STANDING = ['primary_conninfo', 'primary_slot_name', 'synchronous_standby_names', 'synchronous_commit', FORMER]

function settings({ settings: all, nodes, expectedNodes }: RoundEvidence, { sync }: Terms): string[] {
  const wrong: string[] = []
  for (const { node, upstream, altered } of all) {
    if (upstream.kind !== 'primary')
      wrong.push(`${node} follows ${upstream.kind === 'node' ? `${upstream.name} alone` : `'${upstream.conninfo}'`}`)
    for (const [name, value] of Object.entries(altered)) {
      if (!STANDING.includes(name)) wrong.push(`${node} has ${name} = '${value}'`)
    }
    const names = altered['synchronous_standby_names'] ?? ''
    const asked = synchronousStandbyNames(sync, expectedNodes)
    if (names !== asked) wrong.push(`${node} has synchronous_standby_names = '${names}' instead of '${asked}'`)
  }
  for (const status of nodes) {
    if (status.role === 'primary' && status.synchronousCommit !== 'on')
      wrong.push(`${status.name} has synchronous_commit = ${status.synchronousCommit}`)
  }
  return wrong
}

/** The lab's shared connection to each node, and the watcher's: the one that asked is not counted. */
const STANDING_SESSIONS: Readonly<Record<string, number>> = { 'pg-failover-lab': 1, [WATCHER_NAME]: 1 }

const isOfTheLab = (name: string): boolean => name.startsWith('lab ') || name === 'pg-failover-lab'

/** Sessions of the lab's that should be closed. */
export const sessionsLeft = (all: readonly NodeSessions[]): string[] =>
  all.flatMap(({ node, sessions: open }) =>
    Object.entries(open)
      .filter(([name, count]) => isOfTheLab(name) && count > (STANDING_SESSIONS[name] ?? 0))
      .map(([name, count]) => `${count} of "${name}" on ${node}`),
  )

function traces({ traces: { servers, files, expectedFiles }, expectedNodes }: RoundEvidence): string[] {
  const extra = [...servers]
  const missing = expectedNodes.filter(name => {
    const at = extra.indexOf(name)
    if (at >= 0) extra.splice(at, 1)
    return at < 0
  })
  const strange = files.filter(file => !expectedFiles.includes(file))
  return [
    ...missing.map(name => `no server of ${name} runs`),
    ...extra.map(server => `one too many runs: ${server}`),
    ...strange.map(file => `left over: ${file}`),
  ]
}

/** More than what the lab holds at any time: its sessions, the watcher's, what node itself opens for a child process or a lookup. */
const MORE_DESCRIPTORS = 24

/** A listener is a link that was not taken away, a child process a program that was not waited for. */
const WATCHED = { TCPServerWrap: 'listeners are open', ProcessWrap: 'child processes run' }

export function ownResources(
  { own: { active, descriptors } }: Pick<RoundEvidence, 'own'>,
  { ownAtStart: atStart }: Pick<Terms, 'ownAtStart'>,
): string[] {
  const wrong = Object.entries(WATCHED).flatMap(([type, what]) => {
    const [now, then] = [active[type] ?? 0, atStart.active[type] ?? 0]
    return now > then ? [`${now} ${what}, and ${then} were at the start`] : []
  })
  const most = (atStart.descriptors ?? Infinity) + MORE_DESCRIPTORS
  if (descriptors !== undefined && descriptors > most)
    wrong.push(`${descriptors} file descriptors are open, and ${atStart.descriptors} were at the start`)
  return wrong
}
