/**
 * One failover after another of a cluster that somebody else manages: healed between them, by the user's own commands.
 */
import { isLabError, LabError, messageOf } from '../../errors.ts'
import { described, isLook, primaryIn, type NamedServers } from '../../client/named-servers.ts'
import type { Measured } from '../../measure/measured.ts'
import { withoutPasswords } from '../../postgres/conninfo.ts'
import { met, notMet, waitUntil, type Condition } from '../../wait.ts'
import { runSeries, type SeriesOptions } from '../series.ts'
import { measure, type Deed, type MeasureOptions } from './measure.ts'
import { runLine, ShellLine } from './shell.ts'
import { survey, type Survey } from './survey.ts'
import { dropTable, makeTable, ownTable, replicatedTable, type OwnTable } from './table.ts'

export interface MeasureSeriesOptions
  extends Omit<MeasureOptions, 'deed'>, Pick<SeriesOptions<Measured>, 'onTrial' | 'onFailure'> {
  /** A line for a shell, which takes the primary away. */
  readonly line: string
  /** Told of each line that it prints. */
  readonly onLine: (line: string) => void
  readonly trials: number
  /** A line for a shell that heals the cluster, run between two trials. */
  readonly between?: string | undefined
  /** A line for a shell that exits with 0 once the cluster is well; asked before each trial. */
  readonly healthy?: string | undefined
  /** Where the table is made. */
  readonly schema: string
  /** Leave the table. */
  readonly keep: boolean
  /** Told of who is there, before anything is done; once for each trial. */
  readonly onSurvey: (survey: Survey, trial: number) => void
  /** Told of what is left in the database, and where. */
  readonly onLeft: (left: string) => void
}

const HEAL_TIMEOUT_MS = 600_000
const HEALTHY_TIMEOUT_MS = 30_000
const REPLICATED_TIMEOUT_MS = 30_000

/**
 * Measures so many, and leaves nothing behind.
 * @throws LabError those of survey and of measure; NOT_READY when the cluster is not well again; INTERRUPTED
 */
export async function measureSeries(
  servers: NamedServers,
  options: MeasureSeriesOptions,
): Promise<readonly Measured[]> {
  const { trials, onTrial, onFailure, onSurvey, signal, onProgress } = options
  const table = ownTable(options.schema)
  servers.table = table.name
  let wasThere: readonly string[] = []
  try {
    return await runSeries({
      ...{ trials, onTrial, onFailure, signal },
      trial: async number => {
        const name = trials === 1 ? '' : `trial ${number} of ${trials}: `
        const told = { ...options, onProgress: (text: string) => onProgress(`${name}${text}`) }
        await healed(servers, { options: told, isFirst: number === 1, wasThere })
        const who = await survey(servers, signal)
        onSurvey(who, number)
        if (number === 1) wasThere = who.seen.filter(isLook).map(({ node }) => node)
        await prepareTable(servers, table, signal)
        return await measure(servers, who, { ...told, deed: shellDeed(options) })
      },
    })
  } finally {
    if (table.isMade || table.madeSchema) await leaveNothing(servers, table, options)
  }
}

const shellDeed = ({ line, onLine }: MeasureSeriesOptions): Deed => ({
  text: line,
  begin: async () => new ShellLine(line, { onLine }),
})

export async function prepareTable(servers: NamedServers, table: OwnTable, signal: AbortSignal): Promise<void> {
  await makeTable(servers, table, signal)
  const hint = 'A failover now would take it away. Name only standbys that keep up, or wait until they do.'
  await waitUntil(replicatedTable(servers, table), { timeoutMs: REPLICATED_TIMEOUT_MS, intervalMs: 100, signal, hint })
}

async function leaveNothing(servers: NamedServers, table: OwnTable, options: MeasureSeriesOptions): Promise<void> {
  if (options.keep) return options.onLeft(`table ${table.name} is kept`)
  options.onProgress('the table is removed')
  const left = await dropTable(servers, table)
  if (left !== undefined) options.onLeft(left)
}

async function healed(
  servers: NamedServers,
  {
    options: { between, healthy, signal, onProgress, onLine },
    isFirst,
    wasThere,
  }: {
    readonly options: MeasureSeriesOptions
    readonly isFirst: boolean
    readonly wasThere: readonly string[]
  },
): Promise<void> {
  if (!isFirst && between !== undefined) {
    onProgress('healing the cluster')
    const exitCode = await runLine(between, { timeoutMs: HEAL_TIMEOUT_MS, signal, onLine })
    if (exitCode !== 0 && !signal.aborted)
      throw new LabError('NOT_READY', `--between ended with ${exitCode ?? 'no exit code'}`, {
        hint: `Its line was: ${withoutPasswords(between)}`,
      })
  }
  const condition = healthy === undefined ? wellAgain(servers, wasThere) : saysWell(healthy, { signal, onLine })
  if (isFirst && healthy === undefined) return
  onProgress('waiting until the cluster is well')
  await waitUntil(condition, { timeoutMs: HEAL_TIMEOUT_MS, intervalMs: 1_000, signal })
}

const saysWell = (
  line: string,
  { signal, onLine }: Pick<MeasureSeriesOptions, 'signal' | 'onLine'>,
): Condition<undefined> => ({
  what: 'the line of --healthy to exit with 0',
  observe: async limit => {
    const either = AbortSignal.any([signal, limit])
    const exitCode = await runLine(line, { timeoutMs: HEALTHY_TIMEOUT_MS, signal: either, onLine })
    return exitCode === 0 ? met(undefined) : notMet(`it ended with ${exitCode ?? 'no exit code'}`)
  },
})

/** One primary, and whoever answered at the beginning answers again as a standby. */
const wellAgain = (servers: NamedServers, wasThere: readonly string[]): Condition<undefined> => ({
  what: 'every server to answer again, one of them as the primary',
  observe: async signal => {
    const seen = await servers.lookAround(signal)
    const text = seen.map(described).join('; ')
    if (seen.some(one => !isLook(one) && wasThere.includes(one.node))) return notMet(text)
    try {
      const { server } = primaryIn(seen)
      const others = seen.filter(isLook).filter(one => one.server !== server)
      return others.every(({ isInRecovery }) => isInRecovery) ? met(undefined) : notMet(text)
    } catch (error) {
      if (!isLabError(error)) throw error
      return notMet(messageOf(error))
    }
  },
})
