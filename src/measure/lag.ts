/**
 * How far a standby is behind, from looks at positions in the WAL. Pure.
 * All instants are milliseconds of performance.now(): one monotonic clock for every server, that of the observer.
 */
import { bytesBehind, type Lsn } from '../postgres/lsn.ts'
import { summaryOf, type Summary } from './statistics.ts'

/** What one look at a server saw. It was there at some instant between the question and the answer. */
export interface Position {
  readonly askedAt: number
  /** When the answer came. */
  readonly at: number
  readonly lsn: Lsn
}

/** A write that was acknowledged. */
export interface Commit {
  /** When it was to be sent; without a rate, when it was. */
  readonly dueAt: number
  readonly acknowledgedAt: number
  /** The end of the primary's WAL, asked on the same connection right after: never before the end of the commit record. */
  readonly lsn: Lsn
}

/** How far behind a standby was at one instant. */
export interface LagAtInstant {
  /** The primary's position minus the standby's. */
  readonly bytes: number
  /** Since when the primary had been past the standby's position; 0 when it was not. */
  readonly ms: number
  /** Age, at that instant, of the older of the two looks that this rests on. */
  readonly sampleAgeMs: number
}

/**
 * The lag at `instant`, from the last look at each of the two before it; later looks do not count.
 * Undefined when one of them had not been looked at by then.
 */
export function lagAt(
  instant: number,
  { primary, standby }: { readonly primary: readonly Position[]; readonly standby: readonly Position[] },
): LagAtInstant | undefined {
  const ahead = lastBefore(primary, instant)
  const behind = lastBefore(standby, instant)
  if (ahead === undefined || behind === undefined) return undefined
  const bytes = bytesBehind(ahead.lsn, behind.lsn)
  const passed = bytes === 0 ? undefined : primary.find(({ lsn }) => lsn > behind.lsn)
  return {
    bytes,
    ms: passed === undefined ? 0 : Math.max(0, instant - passed.at),
    sampleAgeMs: instant - Math.min(ahead.at, behind.at),
  }
}

const lastBefore = (positions: readonly Position[], instant: number): Position | undefined =>
  positions.findLast(({ at }) => at <= instant)

/** How far behind the acknowledged commits a standby was, each time it was looked at. */
export interface CurvePoint {
  readonly at: number
  readonly bytes: number
}

/** One standby during a run of commits. */
export interface StandbyLag {
  /** From the acknowledgement of each commit until a look saw it replayed; null when none was. */
  readonly visibleMs: Summary | null
  /** Commits that no look saw replayed. */
  readonly neverSeen: number
  /** Acknowledged commits that it had replayed, at the first look after the last acknowledgement; null without such a look. */
  readonly replayedAtEnd: number | null
  /** Bytes of acknowledged commits that it had not replayed, at that look, and at most. */
  readonly bytesAtEnd: number | null
  readonly maxBytes: number
  /** From the last acknowledgement until a look saw everything replayed; null when none did. */
  readonly drainMs: number | null
  /** Between two answers: what the figures above can resolve. */
  readonly resolutionMs: Summary | null
  readonly curve: readonly CurvePoint[]
}

/** `commits` in the order in which they were acknowledged, `positions` of replay in the order in which they were seen. */
export function measureLag(commits: readonly Commit[], positions: readonly Position[]): StandbyLag {
  const visible = visibleAfter(commits, positions)
  const seen = visible.filter(ms => ms !== undefined)
  const endedAt = commits.at(-1)?.acknowledgedAt ?? 0
  const curve = curveOf(commits, positions)
  const atEnd = positions.find(({ at }) => at >= endedAt)
  return {
    visibleMs: seen.length === 0 ? null : summaryOf(seen),
    neverSeen: visible.length - seen.length,
    replayedAtEnd: atEnd === undefined ? null : commits.filter(({ lsn }) => lsn <= atEnd.lsn).length,
    bytesAtEnd: curve.find(({ at }) => at >= endedAt)?.bytes ?? null,
    maxBytes: curve.reduce((most, { bytes }) => Math.max(most, bytes), 0),
    drainMs: visible.at(-1) ?? null,
    resolutionMs: positions.length < 2 ? null : summaryOf(gapsBetween(positions)),
    curve,
  }
}

/**
 * For each commit the milliseconds from its acknowledgement until a look saw it replayed: 0 if that was before the
 * acknowledgement arrived, undefined if no look did. At most one look too late, never too early.
 */
export function visibleAfter(
  commits: readonly Commit[],
  positions: readonly Position[],
): readonly (number | undefined)[] {
  let next = 0
  return commits.map(({ acknowledgedAt, lsn }) => {
    while (next < positions.length && (positions[next]?.lsn ?? 0n) < lsn) next++
    const position = positions[next]
    return position === undefined ? undefined : Math.max(0, position.at - acknowledgedAt)
  })
}

/** Bytes behind the last commit that was acknowledged by then, at each look from the first commit on. */
export function curveOf(commits: readonly Commit[], positions: readonly Position[]): CurvePoint[] {
  let next = 0
  let end: Lsn | undefined
  const curve: CurvePoint[] = []
  for (const { at, lsn } of positions) {
    for (; next < commits.length && (commits[next]?.acknowledgedAt ?? Infinity) <= at; next++) end = commits[next]?.lsn
    if (end !== undefined) curve.push({ at, bytes: bytesBehind(end, lsn) })
  }
  return curve
}

const gapsBetween = (positions: readonly Position[]): number[] =>
  positions.slice(1).map(({ at }, before) => at - (positions[before]?.at ?? at))

/** `pnpm run lag --json`: the command knows what the servers run on. */
export interface LagDocument extends LagMeasurement {
  /** Null for servers that are not the lab's. */
  readonly runtime: 'docker' | 'local' | null
}

/** What one run of inserts has shown. */
export interface LagMeasurement {
  readonly version: 1
  readonly postgresVersion: string
  readonly primary: string
  readonly inserts: number
  /** Null: as fast as one connection goes. */
  readonly ratePerSecond: number | null
  /** From the first insert to the last acknowledgement. */
  readonly burstMs: number
  /** From when each insert was due to its acknowledgement. */
  readonly insertMs: Summary
  readonly standbys: readonly (StandbyLag & { readonly node: string })[]
  readonly sampling: SamplingCost
}

/** What the looks at the standbys cost the inserts: the same run with them and without. */
export interface SamplingCost {
  /** Pause between two looks; 0: none. */
  readonly everyMs: number
  readonly insertsPerSecond: { readonly without: number; readonly with: number }
  /** With looks / without; below 1 they cost something. */
  readonly ratio: number
  /** Runs without looks that the figure is the mean of. */
  readonly n: number
}
