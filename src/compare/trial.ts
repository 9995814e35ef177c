/**
 * One trial: something befalls the cluster once, while a client on each way writes, and each client's own record is drawn up.
 */
import { setMaxListeners } from 'node:events'
import { prepareTable } from '../experiments/measure/series.ts'
import { measure, type Deed, type DeedDone, type Settle } from '../experiments/measure/measure.ts'
import { survey, type Survey } from '../experiments/measure/survey.ts'
import { ownTable } from '../experiments/measure/table.ts'
import type { Way } from '../client/lane.ts'
import type { NamedServers } from '../client/named-servers.ts'
import type { Measured } from '../measure/measured.ts'
import { throwIfInterrupted } from '../errors.ts'
import { together } from '../together.ts'
import type { CompareWay, Round } from './plan.ts'

/** A client, and how it gets to the primary. */
export interface Client {
  readonly name: CompareWay
  readonly servers: NamedServers
  readonly way: Pick<Way, 'write'> | undefined
  readonly writeTimeoutMs: number
}

/** Of every client but the patient one. */
export const DEADLINES = { connectTimeoutMs: 1_000, writeTimeoutMs: 2_000 } as const
/** As good as none. */
export const PATIENT_WRITE_MS = 3_600_000

export interface Load {
  readonly ratePerSecond: number
  readonly connections: number
}

/** One trial of a round, whoever manages the cluster. */
export interface RoundOptions {
  readonly round: Round
  readonly trial: number
  readonly load: Load
  readonly onProgress: (text: string) => void
  readonly signal: AbortSignal
}

export interface TrialOptions {
  readonly load: Load
  /** Let them write for so long before. Milliseconds. */
  readonly doAfterMs: number
  readonly settle: Settle
  /** What is done, in a word. */
  readonly text: string
  readonly act: (signal: AbortSignal) => Promise<void>
  readonly onProgress: (text: string) => void
  readonly signal: AbortSignal
}

/** @returns what each client has measured, in their order; all saw the same. @throws LabError those of measure and of `act` */
export async function trialOf(clients: readonly Client[], options: TrialOptions): Promise<readonly Measured[]> {
  const { load, doAfterMs, settle, onProgress } = options
  // Each client has several connections that wait for it.
  setMaxListeners(0, options.signal)
  const look = ({ servers }: Client, signal: AbortSignal): Promise<Survey> => {
    setMaxListeners(0, signal)
    return survey(servers, signal)
  }
  const surveys = await together(clients, look, options.signal)
  await prepareTables(clients, options.signal)
  let waiting = clients.length
  let allThere: () => void = () => undefined
  const isTime = new Promise<void>(resolve => (allThere = resolve))
  const deedOf = (signal: AbortSignal): Deed => ({
    text: options.text,
    begin: async () => {
      if (--waiting === 0) allThere()
      // One that fails before it is there ends the others, too.
      const isOver = new Promise<void>(resolve => signal.addEventListener('abort', () => resolve(), { once: true }))
      if (!signal.aborted) await Promise.race([isTime, isOver])
      throwIfInterrupted(signal)
      return (done ??= begun(options.act(signal)))
    },
  })
  let done: DeedDone | undefined
  return await together(
    clients.map((client, at) => ({ ...client, seen: surveys[at] })),
    async ({ name, servers, way, writeTimeoutMs, seen }, signal) => {
      setMaxListeners(0, signal)
      if (seen === undefined) throw new Error('each client has looked')
      return await measure(servers, seen, {
        ...{ ...load, way, writeTimeoutMs, connectTimeoutMs: DEADLINES.connectTimeoutMs, doAfterMs, settle, signal },
        deed: deedOf(signal),
        onProgress: name === clients[0]?.name ? onProgress : () => undefined,
      })
    },
    options.signal,
  )
}

/** One table for all of them, on every standby before anything happens. */
async function prepareTables(clients: readonly Client[], signal: AbortSignal): Promise<void> {
  const table = ownTable('lab')
  for (const { servers } of clients) servers.table = table.name
  const [first] = clients
  if (first !== undefined) await prepareTable(first.servers, table, signal)
}

/** Something that goes on by itself: it is over when it has ended. */
function begun(act: Promise<void>): DeedDone {
  const startedAt = performance.now()
  let end: DeedDone['end']
  const ended = act.then(
    () => void (end = { exitCode: 0, endedAt: performance.now() }),
    (error: unknown) => {
      end = { exitCode: 1, endedAt: performance.now() }
      throw error
    },
  )
  ended.catch(() => undefined) // whoever waits for it is told
  return {
    startedAt,
    ended,
    get end() {
      return end
    },
    [Symbol.asyncDispose]: () => ended.catch(() => undefined),
  }
}
