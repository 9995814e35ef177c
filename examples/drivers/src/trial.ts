/**
 * One trial: one real cluster, one situation, and every subject beside the others, in processes of their own.
 */
import {
  isLabError,
  startCluster,
  waitUntil,
  type Condition,
  type OpenAddress,
  type TestCluster,
} from 'pg-failover-lab'
import { cheapenPassword } from './cheap-password.ts'
import { observeWithControl } from './control.ts'
import { countConnections, readIds } from './evidence.ts'
import { compare, measure, withoutAstray, type Instants, type Result, type Written } from './measure.ts'
import { startNotifying } from './notifications.ts'
import { now } from './protocol.ts'
import type { Situation } from './situations.ts'
import type { SubjectSpec, Variant } from './subject.ts'
import { SubjectProcess } from './subject-process.ts'
import { filled, healed, isWorking, loaded, working } from './waits.ts'

export interface TrialOptions {
  readonly variants: readonly Variant[]
  readonly ratePerSecond: number
  /** After the promotion, or after the address has moved where that is later. */
  readonly observeMs: number
  readonly signal: AbortSignal
}

interface Named {
  readonly subject: string
  readonly variant: Variant
}

export interface SubjectResult extends Named, Result, Written {
  /** Sessions that it has on the old node when the observation ends; null: that node is down. */
  readonly oldConnections: number | null
  readonly rssBytes: number
}

export interface AbsentSubject extends Named {
  /** Why it never came to work, so that nothing was measured. */
  readonly absent: string
}

export interface Trial {
  readonly situation: string
  readonly postgresVersion: string
  readonly results: readonly (SubjectResult | AbsentSubject)[]
}

const START_TIMEOUT_MS = 60_000
const HELP_MS = 6_000

export async function runTrial(
  situation: Situation,
  subjects: readonly SubjectSpec[],
  options: TrialOptions,
): Promise<Trial> {
  const processes = subjects
    .filter(({ works }) => works.includes(situation.work))
    .flatMap(spec => options.variants.map(variant => new SubjectProcess(spec, variant)))
  try {
    await using cluster = await startCluster({
      name: 'drivers',
      // All of their pools are full, and one trial has them all.
      settings: { max_connections: 500 },
      schema: processes.map(({ table }) => `CREATE TABLE ${table} (id text)`).join(';'),
      signal: options.signal,
    })
    await cheapenPassword(cluster)
    await using address = await cluster.openAddress(situation.address)
    return await befall({ situation, cluster, address, processes, ...options })
  } finally {
    await Promise.all(processes.map(subject => subject[Symbol.asyncDispose]()))
  }
}

interface Parts extends TrialOptions {
  readonly situation: Situation
  readonly cluster: TestCluster
  readonly address: OpenAddress
  readonly processes: readonly SubjectProcess[]
}

async function befall(parts: Parts): Promise<Trial> {
  const { situation, cluster, processes, signal } = parts
  const { name: old, serverVersion } = await cluster.primary()
  const standbys = (await cluster.standbys()).map(({ name }) => name)
  const [to = ''] = standbys
  const heals: (() => Promise<void>)[] = []
  let promotedAt: number | undefined
  cluster.onPromotion(({ at }) => (promotedAt ??= performance.timeOrigin + at))
  await waitUntil(loaded(processes), { timeoutMs: START_TIMEOUT_MS, signal })

  const startSubjects = (): void => start(parts, { old, standbys })
  const where = (): string => (promotedAt === undefined ? old : to)
  await using _notifying =
    situation.work === 'listen' ? startNotifying(cluster, { where, processes, signal }) : undefined
  if (situation.when === 'running') {
    startSubjects()
    await atWork(parts)
  }
  const isThere = situation.when === 'running' ? isWorking : (subject: SubjectProcess): boolean => subject.isLoaded
  const absent = processes.filter(subject => !isThere(subject))

  const struckAt = now()
  const stage = { ...parts, old, to, startSubjects, defer: (heal: () => Promise<void>) => void heals.push(heal) }
  await situation.strike(stage)
  const present = processes.filter(subject => !absent.includes(subject))
  const judged = await observe(parts, { present, struckAt, promotedAt: promotedAt ?? struckAt, old, to, heals })
  return {
    situation: situation.id,
    postgresVersion: serverVersion,
    results: [
      ...absent.map(({ spec, variant, lastError }) => ({
        subject: spec.id,
        variant,
        absent: lastError ?? 'it did nothing',
      })),
      ...judged,
    ],
  }
}

function start(
  { cluster, address, processes, situation, ratePerSecond }: Parts,
  { old, standbys }: { readonly old: string; readonly standbys: readonly string[] },
): void {
  const standbyUrls = standbys.map(name => cluster.urlOf(name))
  const nodeUrls = [cluster.urlOf(old), ...standbyUrls]
  for (const subject of processes) {
    const target = { url: address.url, nodeUrls, standbyUrls, table: subject.table }
    subject.go({ target, work: situation.work, ratePerSecond })
  }
}

/** Every subject works, and its pool is as large as it gets. One that does not come to work is left out, and said. */
async function atWork({ situation, processes, signal }: Parts): Promise<void> {
  await reached(working(processes), { timeoutMs: START_TIMEOUT_MS, signal })
  if (situation.work === 'listen') return
  const able = processes.filter(isWorking)
  for (const subject of able) subject.fill()
  await reached(filled(able), { timeoutMs: START_TIMEOUT_MS, signal })
}

/** Whether it came about in time. */
async function reached<T>(
  condition: Condition<T>,
  options: { timeoutMs: number; signal: AbortSignal },
): Promise<boolean> {
  try {
    await waitUntil(condition, { intervalMs: 20, ...options })
    return true
  } catch (error) {
    if (!isLabError(error, 'TIMEOUT')) throw error
    return false
  }
}

interface Struck {
  readonly present: readonly SubjectProcess[]
  readonly struckAt: number
  readonly promotedAt: number
  readonly old: string
  readonly to: string
  readonly heals: readonly (() => Promise<void>)[]
}

/** Watches them, then helps those that are stuck, one thing after another, and sees what it was that helped. */
async function observe(parts: Parts, struck: Struck): Promise<SubjectResult[]> {
  const { situation, cluster, address, processes, observeMs, signal } = parts
  const { present, struckAt, promotedAt, old, to } = struck
  const { moveAfterMs = 0 } = situation.address
  const end = promotedAt + (moveAfterMs === 'never' ? 0 : moveAfterMs) + observeMs
  const primary = situation.loses === 'primary' ? to : old
  await observeWithControl(cluster, { node: primary, ms: Math.max(0, end - now()), signal })

  const observedUntil = now()
  const memory = new Map(present.map(({ name, rssBytes }) => [name, rssBytes]))
  const node = situation.loses === 'primary' ? old : to
  if (situation.isFrozen === true) for (const heal of struck.heals) await heal()
  const connections = await countConnections(cluster, { node, signal })

  let instants: Instants = { struckAt, promotedAt, observedUntil, endedAt: Infinity }
  const judge = (subject: SubjectProcess): Result => measure(subject.attempts, subject.end, instants)
  const stuck = (): string[] => present.filter(subject => judge(subject).healedBy === 'nothing').map(({ name }) => name)
  if (moveAfterMs === 'never' && stuck().length > 0) {
    instants = { ...instants, movedAt: now() }
    address.move()
    await reached(healed(stuck), { timeoutMs: HELP_MS, signal })
  }
  if (connections !== undefined && stuck().length > 0) {
    instants = { ...instants, closedAt: now() }
    await cluster.crash(node)
    for (const heal of struck.heals) await heal()
    await reached(healed(stuck), { timeoutMs: HELP_MS, signal })
  }
  instants = { ...instants, endedAt: now() }
  const ends = new Map(present.map(subject => [subject, subject.end]))
  await Promise.all(processes.map(subject => subject[Symbol.asyncDispose]()))
  const ids =
    situation.work === 'read'
      ? new Map<string, readonly string[]>()
      : await readIds(cluster, { node: primary, subjects: present })
  return present.map(subject => {
    const { spec, variant, name, attempts } = subject
    const own = ids.get(name)
    const counted = own === undefined || situation.work === 'listen' ? attempts : withoutAstray(attempts, own, instants)
    return {
      ...{ subject: spec.id, variant, ...measure(counted, ends.get(subject) ?? subject.end, instants) },
      ...(own === undefined ? { duplicates: 0, astray: 0 } : compare(attempts, own, instants)),
      oldConnections: connections === undefined ? null : (connections.get(name) ?? 0),
      rssBytes: memory.get(name) ?? 0,
    }
  })
}
