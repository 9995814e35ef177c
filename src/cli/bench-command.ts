/**
 * `bench`: how far the lab is from what the machine can do at best.
 */
import { benchMeanings, benchParts, runBench } from '../../bench/bench.ts'
import { memoryOfJudging } from '../../bench/judging.ts'
import type { Row } from '../../bench/samples.ts'
import type { Spread } from '../measure/statistics.ts'
import { countOption, listOption } from '../options/options.ts'
import { formatBytes, formatMs } from '../report/format.ts'
import { command } from './command.ts'

export const benchCommand = command({
  usage: 'bench',
  examples: ['bench --only record'],
  summary: 'measure the lab against bare PostgreSQL programs on this machine',
  options: {
    runs: countOption('--runs <n>', { min: 1, max: 100, standard: 5 }, 'how often each is measured'),
    only: listOption('--only <parts>', benchParts, 'which parts'),
  },
  run: async ({ openLab, narrate, terminal, options: { runs, only: parts }, interrupt: { signal } }) => {
    const lab = await openLab({ mayPull: true })
    const { name: runtime } = lab.runtime
    const { rows, floor } = await runBench(lab, { runs, parts, signal, onStep: step => terminal.busy(step) })
    narrate.say(`Runtime ${runtime}; floor with the bare programs of ${floor}; n = ${runs}, median (min–max)`)
    narrate.table(['what', 'floor', 'ours', 'ratio', ''], rows.map(tableRow))
    if (parts.includes('record'))
      narrate.say(`memory of a record over 1,000,000 writes, beside its history: ${formatBytes(memoryOfJudging())}`)
    return { version: 1, runtime, rows }
  },
})

const tableRow = ({ name, spread }: Row): string[] => [
  name,
  formatSpread(spread.floorMs, formatMs),
  formatSpread(spread.oursMs, formatMs),
  formatSpread(spread.ratio, value => value.toFixed(2)),
  benchMeanings[name] ?? '',
]

const formatSpread = ({ median, min, max }: Spread, format: (value: number) => string): string =>
  `${format(median)} (${format(min)}–${format(max)})`
