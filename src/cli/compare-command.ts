/**
 * `compare`: what each way to the primary makes of each thing that can befall it.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { runCompare, type CompareDocument } from '../compare/compare.ts'
import { compareWords, roundsOf, type Round } from '../compare/plan.ts'
import { codeOf, LabError, messageOf } from '../errors.ts'
import { countOption, fileOption, listOption } from '../options/options.ts'
import { narrateCompare, narrateCompareTrials } from '../report/compare.ts'
import { keepReport } from '../report/files.ts'
import { compareReport } from '../report/html/reports.ts'
import { writeWhole } from '../report/whole-file.ts'
import { command } from './command.ts'

const options = {
  only: listOption('--only <words>', compareWords, 'which ways, events and settings; of a kind that is not named, all'),
  trials: countOption('--trials <n>', { min: 1, max: 1_000, standard: 5 }, 'of each cell'),
  rate: countOption('--rate <n>', { min: 5, max: 1_000, standard: 50 }, 'writes a second of each client'),
  connections: countOption('--connections <n>', { min: 1, max: 20, standard: 2 }, 'of each client'),
  keep: fileOption(
    '--keep <file>',
    'where the trials are kept; what is in it is not measured again (default: compare.json)',
  ),
  report: fileOption('--report <file>', 'write a page with plots, HTML in one file'),
}

export const compareCommand = command({
  usage: 'compare',
  examples: [
    'compare --only killed,freeze,tuned --trials 3',
    'compare --only lab --trials 1',
    'compare --report compare.html',
  ],
  summary: 'the lab, Patroni, HAProxy, PgBouncer and the router, in each kind of outage, with default and tuned timers',
  options,
  run: async context => {
    const { narrate, terminal, options, interrupt, lab } = context
    const { only, trials, rate: ratePerSecond, connections, keep: file = 'compare.json', report } = options
    const rounds = roundsOf(only)
    requireAny(rounds, only)
    const load = { ratePerSecond, connections }
    const before = await readBefore(file, load)
    if (before !== undefined) narrate.say(`${before.trials.length} trials are in ${file}, and not measured again`)
    const document = await runCompare({
      ...{ rounds, trials, load, before, lab, signal: interrupt.signal },
      onProgress: text => terminal.busy(text),
      onRound: async (soFar, done) => {
        narrateCompareTrials(narrate, done)
        await writeWhole(file, scratch => writeFile(scratch, `${JSON.stringify(soFar, null, 2)}\n`))
      },
      onEnd: error => narrate.failAtEnd(error),
      onFailure: ({ event, setting, trial, why }) =>
        narrate.say(`${setting} ${event}, trial ${trial}, was not measured: ${why}`),
    })
    narrateCompare(narrate, document)
    narrate.say(`trials   ${file}`)
    await keepReport(narrate, { file: report, document }, compareReport)
    return document
  },
})

/** @throws LabError USAGE */
function requireAny(rounds: readonly Round[], only: readonly string[]): void {
  if (rounds.length > 0) return
  throw new LabError('USAGE', `there is nothing to compare in ${only.join(', ')}`, {
    hint: 'Nothing of the lab waits for etcd or gives way to a spike, and patient is for freeze alone.',
  })
}

/** What an earlier run has left. @throws LabError USAGE for a file of something else, or of other terms */
async function readBefore(file: string, load: CompareDocument['load']): Promise<CompareDocument | undefined> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw new LabError('USAGE', `${file} cannot be read: ${messageOf(error)}`, { hint: ANOTHER, cause: error })
  })
  if (text === undefined) return undefined
  const document = parsed(text)
  if (document === undefined) throw new LabError('USAGE', `${file} is not a comparison's`, { hint: ANOTHER })
  const terms = ({ ratePerSecond, connections }: CompareDocument['load'], processors: number): string =>
    `${ratePerSecond} writes a second over ${connections} connections, with ${processors} processors`
  const [was, is] = [terms(document.load, document.machine.cpus), terms(load, cpus().length)]
  if (was !== is) throw new LabError('USAGE', `${file} was measured at ${was}, and this is ${is}`, { hint: ANOTHER })
  return document
}

const ANOTHER = 'Name another file with --keep.'

function parsed(text: string): CompareDocument | undefined {
  try {
    const document = JSON.parse(text) as Partial<CompareDocument> | null
    const isOurs = document?.experiment === 'compare' && document.version === 1 && Array.isArray(document.trials)
    return isOurs ? (document as CompareDocument) : undefined
  } catch {
    return undefined
  }
}
