/**
 * `status --watch`: looks at the cluster again and again. On a terminal a live view; in a pipe a line for each change;
 * with --json a document for each look.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { Poller, type Polled } from './poller.ts'
import { isLabError, throwIfInterrupted } from '../errors.ts'
import { behindForMs, withPosition, type PrimaryPosition } from '../measure/behind-for.ts'
import { toJsonLine } from '../report/json.ts'
import type { NodeStatus } from '../cluster/node-status.ts'
import { readKept } from '../operations/salvage/keep.ts'
import { readReasons } from '../operations/standing.ts'
import type { Narrator } from '../report/narrator.ts'
import { openScreen, readKeys } from '../report/screen.ts'
import { statusChanges } from '../report/status-changes.ts'
import { narrateStatus, statusDocument, type BehindFor } from '../report/status.ts'
import type { Reasons } from '../report/status-warnings.ts'
import type { Terminal } from '../report/terminal.ts'
import { changeLine, watchLines, type WatchView } from '../report/watch.ts'
import { pause } from '../wait.ts'

export interface WatchOptions {
  /** From one look to the next, in milliseconds. */
  readonly everyMs: number
  readonly isJson: boolean
  readonly narrate: Narrator
  readonly terminal: Terminal
  readonly signal: AbortSignal
}

/**
 * Returns when `q` is typed.
 * @throws LabError INTERRUPTED when the signal fires; WRONG_PASSWORD, OTHER_CLUSTER
 */
export async function watch(cluster: Cluster, options: WatchOptions): Promise<void> {
  const quit = new AbortController()
  const looks = look(cluster, { ...options, signal: AbortSignal.any([options.signal, quit.signal]) })
  try {
    if (options.isJson) await asDocuments(cluster, looks)
    else if (process.stdout.isTTY && process.env['TERM'] !== 'dumb') await onScreen(looks, options.terminal, quit)
    else await asLines(looks, options.narrate)
  } catch (error) {
    throwIfInterrupted(options.signal)
    if (!quit.signal.aborted || !isLabError(error, 'INTERRUPTED')) throw error
  }
}

/** So many changes are remembered; a terminal shows fewer. */
const MOST_CHANGES = 100

async function* look(
  cluster: Cluster,
  { everyMs, signal }: Pick<WatchOptions, 'everyMs' | 'signal'>,
): AsyncGenerator<WatchView, never> {
  const poller = new Poller(cluster, signal)
  let positions: readonly PrimaryPosition[] = []
  let before: WatchView | undefined
  const reasons = new LatestReasons(cluster, signal)
  for (;;) {
    const startedAt = performance.now()
    const polled = await poller.poll(everyMs)
    const nodes = polled.map(({ status }) => status)
    const at = new Date()
    const news = before === undefined ? [] : statusChanges(before.nodes, nodes).map(text => ({ at, text }))
    const changes = [...(before?.changes ?? []), ...news].slice(-MOST_CHANGES)
    positions = withPrimary(positions, polled)
    const what = `${cluster.runtime.name}, every ${everyMs} ms`
    const beside = { behindFor: behindFor(positions, polled), reasons: reasons.of(nodes) }
    const view = { at, what, nodes, ...beside, changes, news }
    before = view
    yield view
    await pause(Math.max(0, startedAt + everyMs - performance.now()), signal)
  }
}

/** Asked beside the looks: a standby of which something can be told may be one that hardly answers. */
class LatestReasons {
  readonly #cluster: Cluster
  readonly #signal: AbortSignal
  #latest: Reasons = {}
  #isAsking = false

  constructor(cluster: Cluster, signal: AbortSignal) {
    this.#cluster = cluster
    this.#signal = signal
  }

  /** What was last found out; asks again. */
  of(nodes: readonly NodeStatus[]): Reasons {
    if (!this.#isAsking) void this.#ask(nodes)
    return this.#latest
  }

  async #ask(nodes: readonly NodeStatus[]): Promise<void> {
    this.#isAsking = true
    // What fails is not known, and the next look asks again.
    this.#latest = await readReasons(this.#cluster, nodes, this.#signal).catch(() => ({}))
    this.#isAsking = false
  }
}

function withPrimary(positions: readonly PrimaryPosition[], polled: readonly Polled[]): readonly PrimaryPosition[] {
  const primary = polled.find(({ status }) => status.role === 'primary')
  if (primary?.status.role !== 'primary') return positions
  const { timeline, currentLsn } = primary.status
  return withPosition(positions, { timeline, currentLsn, at: primary.answeredAt })
}

const behindFor = (positions: readonly PrimaryPosition[], polled: readonly Polled[]): BehindFor =>
  Object.fromEntries(
    polled.flatMap(({ status, askedAt }) =>
      status.role === 'standby' ? [[status.name, behindForMs(positions, { ...status, askedAt })]] : [],
    ),
  )

async function asDocuments(cluster: Cluster, looks: AsyncIterable<WatchView>): Promise<void> {
  for await (const { at, nodes, behindFor, reasons } of looks) {
    const document = {
      ...statusDocument(cluster, nodes, { kept: await readKept(cluster), reasons }),
      at: at.toISOString(),
      behindAtLeastMs: behindFor,
    }
    process.stdout.write(`${toJsonLine(document)}\n`)
  }
}

async function asLines(looks: AsyncIterable<WatchView>, narrate: Narrator): Promise<void> {
  let isFirst = true
  for await (const { nodes, news } of looks) {
    if (isFirst) narrateStatus(narrate, nodes)
    isFirst = false
    for (const change of news) narrate.say(changeLine(change))
  }
}

async function onScreen(looks: AsyncIterable<WatchView>, { style }: Terminal, quit: AbortController): Promise<void> {
  using screen = openScreen(process.stdout)
  const onKey = (key: string): void => {
    if (key === 'q' || key === 'Q') quit.abort()
  }
  using _keys = process.stdin.isTTY ? readKeys(process.stdin, onKey) : undefined
  let view: WatchView | undefined
  const draw = (): void => {
    if (view !== undefined) screen.draw(watchLines(view, screen, style))
  }
  process.stdout.on('resize', draw)
  try {
    for await (view of looks) draw()
  } finally {
    process.stdout.off('resize', draw)
  }
}
