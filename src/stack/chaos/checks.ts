/**
 * The checks of a round with the stack: evidence, and what is wrong with it, in sentences; and what is only to be told.
 * Pure; each can fail by itself.
 */
import {
  everyNodeStreams,
  formerRuns,
  ownResources,
  sharedTimelines,
  someIds,
  timelinesGrow,
  type Terms,
} from '../../experiments/chaos/checks.ts'
import { seconds } from '../../wait.ts'
import { leads } from '../rest.ts'
import { stackSessionsLeft, type StackEvidence } from './evidence.ts'
import type { StackAction, StackPlan } from './plan.ts'

export type StackTerms = Pick<Terms, 'ownAtStart' | 'owners'>

type Check = (evidence: StackEvidence, terms: StackTerms) => readonly string[]

/** Every check by its name. */
export const stackChecks = {
  'one node acknowledges': oneAcknowledges,
  'nothing is lost where nothing can be': losses,
  'what is there was sent, and once': contradictions,
  'former runs are as they were': formerRuns,
  'nobody else leads without a reason': needlessFailover,
  'every node streams': everyNodeStreams,
  'Patroni says the same': patroniAgrees,
  'timelines only grow': ({ nodes, before }) => timelinesGrow({ nodes, timelineBefore: before.timeline }),
  'every node has the same rows': sameRows,
  'every way leads to the primary again': ({ silentWays }) =>
    silentWays.map(way => `nothing was acknowledged over ${way} in time, although all was well`),
  'no session is left open': stackSessionsLeft,
  'this process keeps nothing': ownResources,
} satisfies Record<string, Check>

/** What is wrong, each with the name of its check before it. */
export const judgeStackRound = (evidence: StackEvidence, terms: StackTerms): string[] =>
  Object.entries(stackChecks).flatMap(([name, check]) => check(evidence, terms).map(fact => `${name}: ${fact}`))

/**
 * Each timeline has one node that acknowledges on it; and once a newer one has acknowledged anything, to anybody, nobody
 * does on an older.
 */
function oneAcknowledges(evidence: StackEvidence, { owners }: StackTerms): string[] {
  const { acknowledgements } = evidence
  if (acknowledgements.length === 0) return ['nobody was seen to acknowledge anything']
  const shared = sharedTimelines(acknowledgements, owners)
  return [...shared, ...lateOnOlder(evidence, owners)]
}

interface Told {
  readonly way: string
  readonly timeline: number
  readonly sentAt: number
  readonly settledAt: number
  readonly id: number | undefined
}

/** By way and timelines: how many, how long after, and how many of them are gone. */
function lateOnOlder({ acknowledgements, ways }: StackEvidence, owners: ReadonlyMap<number, string>): string[] {
  const watched = acknowledgements.map((seen): Told => ({ ...seen, way: 'asked directly', id: undefined }))
  const written = ways.flatMap(({ way, acknowledgements: all }) =>
    all.flatMap((one): Told[] => (one.timeline === null ? [] : [{ ...one, timeline: one.timeline, way }])),
  )
  const inOrder = [...watched, ...written].sort((a, b) => a.settledAt - b.settledAt)
  const late = new Map<string, { first: Told; newer: Told; count: number; gone: number; lastAt: number }>()
  const lost = new Map<string, ReadonlySet<number>>(ways.map(({ way, findings }) => [way, new Set(findings.lostIds)]))
  let newest: Told | undefined
  for (const one of inOrder) {
    if (newest !== undefined && one.timeline < newest.timeline && one.sentAt > newest.settledAt) {
      const key = `${one.way} ${one.timeline} ${newest.timeline}`
      const sum = late.get(key) ?? { first: one, newer: newest, count: 0, gone: 0, lastAt: 0 }
      late.set(key, sum)
      sum.count++
      sum.lastAt = one.settledAt
      if (one.id !== undefined && lost.get(one.way)?.has(one.id) === true) sum.gone++
    }
    if (newest === undefined || one.timeline > newest.timeline) newest = one
  }
  const nameOf = (timeline: number): string => owners.get(timeline) ?? 'a node'
  return [...late.values()].map(
    ({ first, newer, count, gone, lastAt }) =>
      `${nameOf(first.timeline)} acknowledged ${count} on timeline ${first.timeline} (${first.way}), ${seconds(first.settledAt - newer.settledAt)} to ${seconds(lastAt - newer.settledAt)} after ${nameOf(newer.timeline)} did on timeline ${newer.timeline}` +
      (first.id === undefined ? '' : `; ${gone} of them are gone`),
  )
}

/** Where a primary that acknowledged alone goes, and another is promoted; in no other action does one lack something. */
const MAY_LOSE: ReadonlySet<StackAction> = new Set<StackAction>([
  ...(['killed', 'postmaster', 'freeze', 'brief-freeze', 'edge-freeze', 'isolated'] as const),
  ...(['etcd-killed', 'primary-and-standby-killed'] as const),
])

/** In a switchover the one who is killed may be, or have become, the primary. */
const mayLose = ({ action, victim }: StackPlan): boolean =>
  MAY_LOSE.has(action) || (action === 'hit-switchover' && victim !== 'other')

function losses({ plan, ways, nodes }: StackEvidence): string[] {
  const primary = nodes.find(({ role }) => role === 'primary')
  const now = primary?.role === 'primary' ? primary.timeline : undefined
  return ways.flatMap(({ way, findings: { lostIds, acknowledged }, acknowledgements }) => {
    if (acknowledged === 0) return [`nothing was acknowledged over ${way}, so nothing could be lost`]
    if (lostIds.length === 0) return []
    if (!mayLose(plan)) return [`gone over ${way}, although ${plan.action} loses nothing: ${someIds(lostIds)}`]
    const lost = new Set(lostIds)
    const ofNow = acknowledgements.filter(({ id, timeline }) => lost.has(id) && timeline === now).map(({ id }) => id)
    return ofNow.length === 0 ? [] : [`gone over ${way}, although acknowledged on timeline ${now}: ${someIds(ofNow)}`]
  })
}

function contradictions({ ways }: StackEvidence): string[] {
  return ways.flatMap(({ way, findings: { unexpectedIds, duplicateIds } }) => [
    ...(unexpectedIds.length > 0
      ? [`there over ${way}, although they certainly failed or were never tried: ${someIds(unexpectedIds)}`]
      : []),
    ...(duplicateIds.length > 0 ? [`there more than once over ${way}: ${someIds(duplicateIds)}`] : []),
  ])
}

/** Nothing happens to the primary, or to what it needs to lead. */
const MUST_STAY: ReadonlySet<StackAction> = new Set<StackAction>([
  ...(['spike', 'standby-killed', 'standby-freeze', 'both-standbys-killed', 'haproxy', 'pgbouncer'] as const),
])

function needlessFailover(evidence: StackEvidence): string[] {
  const change = changeIn(evidence)
  return change === undefined || !MUST_STAY.has(evidence.plan.action) ? [] : [`${change}, in ${evidence.plan.action}`]
}

/** Who leads after whom, where somebody was promoted. */
export function changeIn({ before, nodes }: Pick<StackEvidence, 'before' | 'nodes'>): string | undefined {
  const primary = nodes.find(({ role }) => role === 'primary')
  if (primary?.role !== 'primary' || primary.timeline === before.timeline) return undefined
  const who =
    primary.name === before.primary ? `${primary.name} leads again` : `${primary.name} leads after ${before.primary}`
  return `${who}, on timeline ${primary.timeline} after ${before.timeline}`
}

function patroniAgrees({ members, nodes }: StackEvidence): string[] {
  const timelines = new Map(nodes.flatMap(node => (node.role === 'unreachable' ? [] : [[node.name, node.timeline]])))
  const primary = nodes.find(({ role }) => role === 'primary')?.name
  const leader = members.find(leads)
  if (leader === undefined || leader.name !== primary)
    return [`${leader?.name ?? 'nobody'} leads, and ${primary ?? 'nobody'} is the primary`]
  return members.flatMap(({ name, state, timeline }) => {
    const should = name === primary ? 'running' : 'streaming'
    if (state !== should) return [`${name} is ${state} instead of ${should}`]
    return timeline === timelines.get(name) ? [] : [`${name} is on timeline ${timeline}, not ${timelines.get(name)}`]
  })
}

function sameRows({ rows }: StackEvidence): string[] {
  const [first] = rows
  return rows.flatMap(({ node, fingerprint }) =>
    fingerprint === first?.fingerprint ? [] : [`${node} has ${fingerprint}, and ${first?.node} ${first?.fingerprint}`],
  )
}
