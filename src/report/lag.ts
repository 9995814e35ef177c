/**
 * Lag, for people: a burst in the demo, and the `lag` command.
 */
import type { LagDocument, StandbyLag } from '../measure/lag.ts'
import { formatBytes, formatCount, formatMs, formatSeenMs } from './format.ts'
import type { Narrator } from './narrator.ts'
import { peaks, sparkline } from './sparkline.ts'

type Lags = readonly (StandbyLag & { readonly node: string })[]

/** As wide as fits beside a name on a terminal of 80 columns. */
const WIDTH = 60

/** Prints the state of each standby at the moment when the last insert was acknowledged. */
export function narrateBurst(narrate: Narrator, standbys: Lags, inserts: number): void {
  narrate.table(
    ['node', 'has', 'behind', 'holds all after', 'looked every'],
    standbys.map(s => [
      s.node,
      `${s.replayedAtEnd ?? 'unknown'} of ${inserts}`,
      s.bytesAtEnd === null ? 'unknown' : formatBytes(s.bytesAtEnd),
      seen(s.drainMs, s),
      orUnknown(s.resolutionMs?.p50),
    ]),
  )
}

/** Prints what `pnpm run lag` measured. */
export function narrateLag(narrate: Narrator, document: LagDocument): void {
  const { inserts, burstMs, insertMs, standbys, sampling } = document
  narrate.say(
    `${formatCount(inserts)} inserts on ${document.primary} in ${formatMs(burstMs)}; each acknowledged after ${formatMs(insertMs.p50)} (p50), ${formatMs(insertMs.p95)} (p95)`,
  )
  narrate.say('')
  narrate.say('From the acknowledgement of an insert until it was visible:')
  narrate.table(
    ['standby', 'p50', 'p95', 'max', 'drained after', 'behind at most', 'looked every (p50, max)'],
    standbys.map(s => [
      s.node,
      ...[s.visibleMs?.p50, s.visibleMs?.p95, s.visibleMs?.max, s.drainMs].map(ms => seen(ms, s)),
      formatBytes(s.maxBytes),
      `${orUnknown(s.resolutionMs?.p50)}, ${orUnknown(s.resolutionMs?.max)}`,
    ]),
  )
  narrate.say('')
  narrate.say('Bytes behind the last acknowledged insert, from the first to drained:')
  const width = Math.max(...standbys.map(({ node }) => node.length))
  for (const { node, curve, maxBytes } of standbys)
    narrate.say(
      `${node.padEnd(width)}  ${sparkline(
        peaks(
          curve.map(({ bytes }) => bytes),
          WIDTH,
        ),
      )}  at most ${formatBytes(maxBytes)}`,
    )
  narrate.say('')
  const { without, with: looked } = sampling.insertsPerSecond
  narrate.say(
    `What the looking cost: ${formatCount(Math.round(looked))} inserts a second with it, ${formatCount(Math.round(without))} without (mean of ${sampling.n}): ratio ${sampling.ratio.toFixed(2)}`,
  )
}

const seen = (ms: number | null | undefined, { resolutionMs }: StandbyLag): string =>
  ms == null ? 'unknown' : formatSeenMs(ms, resolutionMs?.p50)

const orUnknown = (ms: number | null | undefined): string => (ms == null ? 'unknown' : formatMs(ms))
