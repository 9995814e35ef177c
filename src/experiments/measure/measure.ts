/**
 * One failover of a cluster that somebody else manages, measured: a client writes, a command takes the primary away, and what
 * then happens is seen with the client's eyes and by its clock alone.
 */
import { Disposer } from '../../dispose.ts'
import { LabError } from '../../errors.ts'
import { Observer } from '../../client/observer.ts'
import { StandbySampler } from '../../client/standby-sampler.ts'
import { Writer, type WriterOptions } from '../../client/writer.ts'
import type { NamedServers } from '../../client/named-servers.ts'
import type { History } from '../../history/history.ts'
import { lagAt, type LagAtInstant } from '../../measure/lag.ts'
import { measuredRecord, type Action, type Measured } from '../../measure/measured.ts'
import { parseServer, takeoverIn, type Look, type TakeoverEvidence } from '../../measure/takeover.ts'
import { packageVersion } from '../../package-folder.ts'
import { withoutPasswords } from '../../postgres/conninfo.ts'
import { met, notMet, pause, seconds, waitUntil, type Condition } from '../../wait.ts'
import { thisMachine } from '../trial.ts'
import { readEnd } from './at-end.ts'
import type { Survey } from './survey.ts'

/** For how long it is looked at what becomes of it: so long from when the command begins, or until writes are acknowledged again. */
export type Settle =
  | { readonly kind: 'time'; readonly ms: number }
  | {
      readonly kind: 'writable'
      /** @default 600000 */
      readonly limitMs?: number | undefined
    }

/** What takes the primary away: a line for a shell, or anything else that can be begun. */
export interface Deed {
  /** As it is told. */
  readonly text: string
  begin(): Promise<DeedDone>
}

/** Disposing of it ends it, should it not have ended. */
export interface DeedDone extends AsyncDisposable {
  /** performance.now() */
  readonly startedAt: number
  readonly ended: Promise<unknown>
  /** Undefined while it goes on. */
  readonly end: { readonly exitCode: number | null; readonly endedAt: number } | undefined
}

export interface MeasureOptions extends WriterOptions {
  readonly deed: Deed
  /** Let the client write for so long before it. Milliseconds. */
  readonly doAfterMs: number
  readonly settle: Settle
  readonly label?: string | undefined
  readonly signal: AbortSignal
  /** Told of what goes on. */
  readonly onProgress: (text: string) => void
}

/** Where nobody accepts writes any more, or the same does all the while, that long is waited for another. */
const WRITABLE_LIMIT_MS = 600_000
/** Acknowledged before anything happens, and by the new primary at the end of `writable`. */
const WRITES = { before: 100, after: 50 }
const READY_TIMEOUT_MS = 30_000
const LOOK_EVERY_MS = 100

/**
 * The table is there, and the servers are well.
 * @throws LabError TIMEOUT when writes are not acknowledged in the first place, USAGE when there is no shell, INTERRUPTED
 */
export async function measure(servers: NamedServers, survey: Survey, options: MeasureOptions): Promise<Measured> {
  await using resources = new Disposer()
  const run = await begin(servers, survey, { options, resources })
  await run.writer.acknowledges(Math.min(WRITES.before, run.writer.load.ratePerSecond), { timeoutMs: READY_TIMEOUT_MS })
  options.onProgress(`the client writes for ${seconds(options.doAfterMs)} before anything happens`)
  await pause(options.doAfterMs, options.signal)

  const at = new Date().toISOString()
  await using done = await options.deed.begin()
  await settled(run, done, options)
  const action = actionOf(done, options.deed.text)
  await done[Symbol.asyncDispose]()
  const history = await run.writer.stop()
  await resources[Symbol.asyncDispose]()

  options.onProgress('what is there of it')
  const evidence = run.evidence(history, done.startedAt)
  const after = takeoverIn(evidence).server
  const { survivors, nodesAtEnd, unseen } = await readEnd(servers, { run: history.run, after, signal: options.signal })
  return measuredRecord({
    ...evidence,
    survivors,
    nodesAtEnd,
    ...{ target: servers.kind, label: options.label ?? null, action, at },
    oldPrimary: run.nameOf(survey.server),
    nameOf: run.nameOf,
    ledAt: ledTo(servers, evidence.looks, after),
    postgresVersion: survey.postgresVersion,
    synchronousCommit: survey.settings['synchronous_commit'] ?? 'unknown',
    walBytesLost: null,
    load: run.writer.load,
    lagAtFault: run.lagAt(done.startedAt),
    settings: survey.settings,
    systemIdentifier: survey.systemIdentifier,
    labVersion: packageVersion(),
    machine: thisMachine(),
    unseen: [...survey.unseen, ...unseen],
  })
}

interface Run {
  readonly writer: Writer
  /** What has been seen until now. */
  evidence(history: History, faultAt: number): TakeoverEvidence
  lagAt(instant: number): Record<string, LagAtInstant>
  /** What a server is called: the URL that was seen to lead to it, else its own address. */
  readonly nameOf: (server: string) => string
}

async function begin(
  servers: NamedServers,
  survey: Survey,
  { options, resources }: { readonly options: MeasureOptions; readonly resources: Disposer },
): Promise<Run> {
  const { signal, connectTimeoutMs = 1_000 } = options
  const session = await servers.connect(survey.primary, { applicationName: 'lab sampler', signal })
  const sampler = resources.use(new StandbySampler(session))
  const look = { everyMs: LOOK_EVERY_MS, patienceMs: connectTimeoutMs }
  const observers = servers.all.map(({ name }) => resources.use(new Observer(servers, { ...look, node: name })))
  if (servers.moves) {
    const { name: node } = servers.nodes[0] ?? { name: '' }
    observers.push(resources.use(new Observer(servers, { ...look, node, anew: true })))
  }
  const writer = resources.use(new Writer(servers, options))
  writer.start()
  const looks = (): Look[] => observers.flatMap(observer => observer.looks)
  return {
    writer,
    evidence: (history, faultAt) => ({
      ...{ history, looks: looks(), foundAt: writer.foundAt },
      ...{ before: survey.server, faultAt },
    }),
    lagAt: instant => {
      const lags = [...sampler.standbys].flatMap(([name, standby]) => {
        const lag = lagAt(instant, { primary: sampler.primary, standby })
        return lag === undefined ? [] : [[name, lag] as const]
      })
      return Object.fromEntries(lags)
    },
    nameOf: server => nameIn(servers, looks(), server),
  }
}

/** When an address that moves was first seen to lead to that server, as a primary. */
function ledTo({ moves, nodes }: NamedServers, looks: readonly Look[], server: string | undefined): number | undefined {
  const leads = (look: Look): boolean => look.node === nodes[0]?.name && look.server === server && !look.isInRecovery
  const instants = moves ? looks.filter(leads).map(({ at }) => at) : []
  return instants.length === 0 ? undefined : Math.min(...instants)
}

/** An address that moves is no server's name. */
function nameIn(servers: NamedServers, looks: readonly Look[], server: string): string {
  const { address } = parseServer(server)
  const isFixed = (node: string): boolean => !servers.moves || servers.nodes.every(({ name }) => name !== node)
  const seen = looks.find(look => isFixed(look.node) && parseServer(look.server).address === address)
  return seen?.node ?? address ?? 'a server of unknown address'
}

const actionOf = ({ end, startedAt }: DeedDone, text: string): Action => ({
  command: withoutPasswords(text),
  exitCode: end?.exitCode ?? null,
  returnedAfterMs: end === undefined ? null : Math.round(end.endedAt - startedAt),
})

/** Waits until it is over. That no failover has come by then is no error: it is told in the record. */
async function settled(run: Run, done: DeedDone, { settle, signal, onProgress }: MeasureOptions): Promise<void> {
  const { startedAt } = done
  done.ended.catch(() => undefined)
  const tell = (): string => {
    const text = standingOf(run.evidence(run.writer.snapshot(), startedAt))
    const since = seconds(Math.round((performance.now() - startedAt) / 1000) * 1000)
    onProgress(`${since} after the command${settle.kind === 'time' ? ` of ${seconds(settle.ms)}` : ''}: ${text}`)
    return text
  }
  const condition = settle.kind === 'time' ? elapsed(startedAt + settle.ms, tell) : writable(run, done, tell)
  const limitMs = settle.kind === 'time' ? settle.ms + LAST_LOOK_MS : (settle.limitMs ?? WRITABLE_LIMIT_MS)
  const waiting = waitUntil(condition, { timeoutMs: limitMs, intervalMs: 100, signal }).catch((error: unknown) => {
    if (!(error instanceof LabError && error.code === 'TIMEOUT')) throw error
  })
  // A shell that cannot be started ends the wait; one that ends does not.
  await Promise.race([waiting, done.ended.then(() => waiting)])
}

const LAST_LOOK_MS = 5_000

const elapsed = (until: number, tell: () => string): Condition<undefined> => ({
  what: 'the time to settle',
  observe: async () => {
    const seen = tell()
    return performance.now() >= until ? met(undefined) : notMet(seen)
  },
})

const writable = (run: Run, done: DeedDone, tell: () => string): Condition<undefined> => ({
  what: 'a primary to acknowledge writes again',
  observe: async () => {
    const seen = tell()
    const evidence = run.evidence(run.writer.snapshot(), done.startedAt)
    const { server } = takeoverIn(evidence)
    const needed = Math.min(WRITES.after, run.writer.load.ratePerSecond)
    const those = evidence.history.writes.filter(write => server !== undefined && write.server === server)
    const isSettled = those.length >= needed && done.end !== undefined
    return isSettled || hasFailedInVain(done, evidence) ? met(undefined) : notMet(seen)
  },
})

/** A command that says that it has failed is not waited for as long as one that may have been heard. */
function hasFailedInVain({ end }: DeedDone, evidence: TakeoverEvidence): boolean {
  if (end === undefined || end.exitCode === 0 || performance.now() - end.endedAt < FAILED_LIMIT_MS) return false
  return takeoverIn(evidence).change === 'none'
}

const FAILED_LIMIT_MS = 60_000

/** Who accepts writes, as it was seen until now. */
function standingOf(evidence: TakeoverEvidence): string {
  const { writes } = evidence.history
  const acknowledged = writes.filter(({ outcome }) => outcome.kind === 'acknowledged').length
  const { server, change } = takeoverIn(evidence)
  const { address, timeline } = parseServer(server ?? evidence.before)
  const who = change === 'none' ? 'no other primary was seen' : `${address} is the primary, on timeline ${timeline}`
  const last = writes.at(-1)?.outcome
  const now = last === undefined || last.kind === 'acknowledged' ? '' : `, the last answer was ${last.code}`
  return `${who}; ${acknowledged} writes acknowledged${now}`
}
