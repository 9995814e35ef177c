/**
 * How far the lab is from what the machine can do at best, both measured in the same run, by turns.
 */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { command } from '../src/cli/command.ts'
import * as lab from '../src/index.ts'
import { freePorts } from '../src/lab.ts'
import { findBinaries } from '../src/runtime/binaries.ts'
import { findPlace } from '../src/runtime/local/place.ts'
import { Floor, type FloorOptions } from './floor.ts'

/** One measurement against its floor. The figures are medians; `spread` has the rest. */
export interface Row {
  readonly name: string
  readonly floorMs: number
  readonly oursMs: number
  /** Median of the ratios run by run, so that the machine's drift cancels out. */
  readonly ratio: number
  readonly n: number
  readonly spread: { readonly floorMs: lab.Spread; readonly oursMs: lab.Spread; readonly ratio: lab.Spread }
}

interface Sample {
  readonly name: string
  readonly floorMs: number
  readonly oursMs: number
}

export const benchCommand = command({
  usage: 'bench',
  summary: 'measure up and failover against bare PostgreSQL programs on this machine',
  options: { runs: lab.count('--runs <n>', { min: 1, max: 100, standard: 5 }, 'how often each is measured') },
  run: async ({ openLab, narrate, terminal, options, interrupt: { signal } }) => {
    const { topology, runtime } = await openLab({ mayPull: true })
    const floor = await floorOptions(topology, signal)
    const samples: Sample[] = []
    for (let number = 1; number <= options.runs; number++) {
      terminal.busy(`run ${number} of ${options.runs}`)
      const [floorUp, floorFailover] = await measureFloor(floor)
      const [ourUp, ourFailover] = await measureOurs(runtime.name, signal)
      samples.push(
        { name: 'up', floorMs: floorUp, oursMs: ourUp },
        { name: 'failover', floorMs: floorFailover, oursMs: ourFailover },
      )
    }
    const rows = ['up', 'failover'].map(name =>
      summarise(
        name,
        samples.filter(sample => sample.name === name),
      ),
    )
    narrate.say(
      `Runtime ${runtime.name}; floor with the bare programs of ${floor.binaries.directory}; n = ${options.runs}, median (min–max)`,
    )
    narrate.table(['what', 'floor', 'ours', 'ratio'], rows.map(tableRow))
    return { version: 1, runtime: runtime.name, rows }
  },
})

async function floorOptions(topology: lab.Topology, signal: AbortSignal): Promise<FloorOptions> {
  const binaries = await findBinaries(topology.variables)
  const { account } = await findPlace(topology)
  if (!binaries.programs.has('pg_basebackup')) {
    throw new lab.LabError('NO_RUNTIME', 'the floor needs a complete PostgreSQL, and there is none on this machine', {
      hint: 'Install one (Debian: apt-get install postgresql), then try again.',
    })
  }
  const [first = 0, second = 0, third = 0] = await freePorts(3)
  return {
    binaries,
    account,
    folder: join(tmpdir(), `pg-failover-floor-${process.pid}`),
    ports: [first, second, third],
    signal,
  }
}

async function measureFloor(options: FloorOptions): Promise<readonly [up: number, failover: number]> {
  await using floor = new Floor(options)
  return [await floor.up(), await floor.failover()]
}

/** The lab's own operations, as a user of the library calls them, a client writing all the while. */
async function measureOurs(
  runtime: 'docker' | 'local',
  signal: AbortSignal,
): Promise<readonly [up: number, failover: number]> {
  const startedAt = performance.now()
  await using cluster = await lab.startTemporaryCluster({ runtime, timeoutMs: 120_000, name: 'bench', signal })
  const upMs = performance.now() - startedAt
  const primary = await cluster.primary(signal)
  await using writer = await lab.startWriter(cluster, { signal })
  await writer.acknowledges(100, { timeoutMs: 30_000 })
  await lab.crash(cluster, primary.name)
  const failover = await lab.failover(cluster, primary.name, { timeoutMs: 30_000, signal })
  await writer.acknowledges(50, { timeoutMs: 30_000 })
  const outage = lab.measureOutage(await writer.stop(), failover)
  if (outage === undefined) throw new lab.LabError('NODE_FAILED', 'nothing was acknowledged around the failover')
  return [upMs, outage.ms]
}

function summarise(name: string, samples: readonly Sample[]): Row {
  const floorMs = lab.spreadOf(samples.map(sample => sample.floorMs))
  const oursMs = lab.spreadOf(samples.map(sample => sample.oursMs))
  const ratio = lab.spreadOf(samples.map(sample => sample.oursMs / sample.floorMs))
  const spread = { floorMs, oursMs, ratio }
  return { name, floorMs: floorMs.median, oursMs: oursMs.median, ratio: ratio.median, n: samples.length, spread }
}

const tableRow = ({ name, spread }: Row): string[] => [
  name,
  formatSpread(spread.floorMs, lab.formatMs),
  formatSpread(spread.oursMs, lab.formatMs),
  formatSpread(spread.ratio, value => value.toFixed(2)),
]

const formatSpread = ({ median, min, max }: lab.Spread, format: (value: number) => string): string =>
  `${format(median)} (${format(min)}–${format(max)})`
