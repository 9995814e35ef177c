/**
 * The command line of the matrix.
 */
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { LabError } from 'pg-failover-lab'
import { situations, type Situation } from './situations.ts'
import { subjects } from './subjects/index.ts'
import type { SubjectSpec } from './subject.ts'

export interface Options {
  readonly subjects: readonly SubjectSpec[]
  readonly situations: readonly Situation[]
  readonly trials: number
  readonly observeMs: number
  readonly ratePerSecond: number
  readonly together: number
  readonly json: boolean
  readonly report: string | undefined
  readonly keep: boolean
  readonly document: boolean
  readonly list: boolean
  readonly help: boolean
}

export const HELP = `Usage: pnpm run drivers [options]

What Node's PostgreSQL drivers do in a failover, measured: each driver in a process of its own, with its defaults and mended,
all side by side against one real cluster for each trial.

  --only <subject,...>        these alone (default: all); --list names them
  --situations <name,...>     these alone (default: all); --list names them
  --trials <n>                of each situation, 1 to 100 (default: 3)
  --observe <seconds>         after the promotion, 5 to 300 (default: 12)
  --rate <n>                  requests a second of each subject, 1 to 100 (default: 10)
  --together <n>              subjects that share a cluster, 1 to 50 (default: 8)
  --json                      the result as one JSON document on stdout
  --report <file>             the result as an HTML page, too
  --keep                      keep this run, and make docs/drivers.md from it; with --situations those alone are replaced
  --document                  make docs/drivers.md from the kept run, and measure nothing
  --list                      the subjects and the situations
  --help                      this text

Ctrl-C ends it early, and shows what there is by then. All subjects and situations take some seven minutes a trial.
`

const SPEC = {
  only: { type: 'string', multiple: true },
  situations: { type: 'string', multiple: true },
  trials: { type: 'string' },
  observe: { type: 'string' },
  rate: { type: 'string' },
  together: { type: 'string' },
  json: { type: 'boolean' },
  report: { type: 'string' },
  keep: { type: 'boolean' },
  document: { type: 'boolean' },
  list: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

/** @throws LabError USAGE */
export function parseOptions(argv: readonly string[]): Options {
  const { only, situations: some, trials, observe, rate, together, report, ...flags } = typed(argv)
  const { json = false, keep = false, document = false, list = false, help = false } = flags
  if (keep && only !== undefined)
    throw new LabError('USAGE', '--keep is for a run of every subject', {
      hint: 'Leave out --only, or use --json and --report, which take any run.',
    })
  return {
    subjects: chosen('--only', only, subjects),
    situations: chosen('--situations', some, situations),
    trials: wholeNumber('--trials', trials, { min: 1, max: 100, standard: 3 }),
    observeMs: 1_000 * wholeNumber('--observe', observe, { min: 5, max: 300, standard: 12 }),
    ratePerSecond: wholeNumber('--rate', rate, { min: 1, max: 100, standard: 10 }),
    together: wholeNumber('--together', together, { min: 1, max: 50, standard: 8 }),
    report: report === undefined ? undefined : writable(report),
    ...{ json, keep, document, list, help },
  }
}

function typed(argv: readonly string[]) {
  // A word too much is found by parseArgs, which says so in its own words.
  try {
    return parseArgs({ args: argv.filter(word => word !== '--'), options: SPEC, allowPositionals: false }).values
  } catch (error) {
    throw new LabError('USAGE', lowerFirst((error as Error).message.split('. ')[0] ?? ''), {
      hint: 'pnpm run drivers --help lists the options.',
      cause: error,
    })
  }
}

const lowerFirst = (text: string): string => `${text.slice(0, 1).toLowerCase()}${text.slice(1)}`

function chosen<T extends { readonly id: string }>(
  flag: string,
  words: readonly string[] | undefined,
  all: readonly T[],
): readonly T[] {
  if (words === undefined) return all
  const given = words.flatMap(word => word.split(',')).map(word => word.trim())
  const stranger = given.find(word => !all.some(({ id }) => id === word))
  if (stranger === undefined) return all.filter(({ id }) => given.includes(id))
  throw new LabError('USAGE', `${flag} has "${stranger}"`, {
    hint: `It takes ${all.map(({ id }) => id).join(', ')}, with commas between.`,
  })
}

interface Limits {
  readonly min: number
  readonly max: number
  readonly standard: number
}

function wholeNumber(flag: string, given: string | undefined, { min, max, standard }: Limits): number {
  if (given === undefined) return standard
  const number = /^\d+$/.test(given) ? Number(given) : NaN
  if (number >= min && number <= max) return number
  throw new LabError('USAGE', `${flag} is "${given}"`, { hint: `It is a whole number from ${min} to ${max}.` })
}

/** That the file can be written is looked at before the work, not found out after it. */
function writable(file: string): string {
  // pnpm runs a script in the package's folder; the file is meant from where the command was typed.
  const path = resolve(process.env['INIT_CWD'] ?? '.', file)
  try {
    accessSync(dirname(path), constants.W_OK)
    if (!existsSync(path)) return path
    accessSync(path, constants.W_OK)
    if (statSync(path).isFile()) return path
  } catch (error) {
    throw cannotWrite(file, (error as Error).message, error)
  }
  throw cannotWrite(file, 'it is no file')
}

const cannotWrite = (file: string, why: string, cause?: unknown): LabError =>
  new LabError('USAGE', `cannot write ${file}: ${why}`, {
    hint: 'Name a file in a folder that is there and can be written to.',
    cause,
  })
