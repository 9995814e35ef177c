/**
 * How far the lab is from what the machine can do at best, both measured in the same run, by turns.
 */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as lab from '../src/index.ts'
import { freePorts } from '../src/temporary-cluster.ts'
import { findBinaries, type Binaries } from '../src/runtime/binaries.ts'
import { findPlace } from '../src/runtime/local/place.ts'
import { Floor, type FloorOptions } from './floor.ts'
import { measureJudging } from './judging.ts'
import { measureLibrary } from './library.ts'
import { measureRouter } from './router.ts'
import { summarise, type Row, type Sample } from './samples.ts'
import { measureThroughput } from './throughput.ts'

export const benchParts = ['cluster', 'library', 'throughput', 'router', 'record'] as const
export type BenchPart = (typeof benchParts)[number]

/** What each row holds against what. */
export const benchMeanings: Readonly<Record<string, string>> = {
  up: 'nothing to three nodes, against initdb, pg_basebackup and pg_ctl',
  failover: 'the outage of a crash, against one client that promotes by itself',
  start: 'a cluster for a test, copied from its template, against the same',
  reset: 'the same cluster again as it was, against the same',
  'failed over': 'that, after a failover, against the same',
  'five at once': 'five files of tests side by side, against one of them',
  writer: '20,000 single-row inserts over 8 connections, against pgbench',
  sampling: "the same inserts while every node's position is looked at, against without",
  'router: pool': '4,000 single-row inserts over 4 connections of router.pool, against a bare pg.Pool',
  'router: write': 'the same by router.write, without asking for a position, against the same',
  'router: token': 'the same by router.write, each with a token for reads on standbys, against the same',
  'router: read': '4,000 selects by router.read on a standby, against a bare pg.Pool on it',
  'router: read after': 'the same, each with a token, against the same',
  record: 'checker and record over 1,000,000 writes, against four times a quarter of them',
}

export interface BenchOptions {
  readonly parts: readonly BenchPart[]
  /** How often each is measured. */
  readonly runs: number
  readonly signal: AbortSignal
  readonly onStep: (step: string) => void
}

export interface BenchResult {
  readonly rows: readonly Row[]
  /** Where the bare programs of the floor are. */
  readonly floor: string
}

/** Measures each part by turns. @throws LabError NO_RUNTIME where there are no bare programs */
export async function runBench(
  { topology, runtime }: Pick<lab.Lab, 'topology' | 'runtime'>,
  { parts, runs, signal, onStep }: BenchOptions,
): Promise<BenchResult> {
  const binaries = await completeBinaries(topology)
  const samples: Sample[] = []
  for (let number = 1; number <= runs; number++) {
    for (const part of parts) {
      onStep(`run ${number} of ${runs}: ${part}`)
      samples.push(...(await MEASURE[part]({ topology, binaries, runtime: runtime.name, signal })))
    }
  }
  return { rows: summarise(samples), floor: binaries.directory }
}

interface Setting {
  readonly topology: lab.Topology
  readonly binaries: Binaries
  readonly runtime: 'docker' | 'local'
  readonly signal: AbortSignal
}

const MEASURE: Readonly<Record<BenchPart, (setting: Setting) => Promise<readonly Sample[]>>> = {
  cluster: async setting => {
    await using floor = new Floor(await floorOptions(setting))
    const [floorUp, floorFailover] = [await floor.up(), await floor.failover()]
    const [ourUp, ourFailover] = await measureOurs(setting)
    return [
      { name: 'up', floorMs: floorUp, oursMs: ourUp },
      { name: 'failover', floorMs: floorFailover, oursMs: ourFailover },
    ]
  },
  library: async setting => {
    await using floor = new Floor(await floorOptions(setting))
    return await measureLibrary({ ...setting, floorUpMs: await floor.up() })
  },
  throughput: async ({ binaries, runtime, signal }) => {
    await using cluster = await lab.startTemporaryCluster({ runtime, timeoutMs: 120_000, name: 'bench', signal })
    return await measureThroughput(cluster, binaries, signal)
  },
  router: async ({ runtime, signal }) => await measureRouter({ runtime, signal }),
  record: async () => [measureJudging()],
}

/** @throws LabError NO_RUNTIME */
async function completeBinaries(topology: lab.Topology): Promise<Binaries> {
  const binaries = await findBinaries(topology.variables)
  if (binaries.programs.has('pg_basebackup') && binaries.programs.has('pgbench')) return binaries
  throw new lab.LabError('NO_RUNTIME', 'the floor needs a complete PostgreSQL, and there is none on this machine', {
    hint: 'Install one (Debian: apt-get install postgresql), then try again.',
  })
}

async function floorOptions({ topology, binaries, signal }: Setting): Promise<FloorOptions> {
  const { account } = await findPlace(topology)
  const [first = 0, second = 0, third = 0] = await freePorts(3)
  return {
    binaries,
    account,
    folder: join(tmpdir(), `pg-failover-floor-${process.pid}`),
    ports: [first, second, third],
    signal,
  }
}

/** The lab's own operations, as a user of the library calls them, a client writing all the while. */
async function measureOurs({ runtime, signal }: Setting): Promise<readonly [up: number, failover: number]> {
  const startedAt = performance.now()
  await using cluster = await lab.startTemporaryCluster({ runtime, timeoutMs: 120_000, name: 'bench', signal })
  const upMs = performance.now() - startedAt
  const { record } = await lab.runTrial(cluster, { fault: 'crash', timeoutMs: 30_000, signal })
  if (record.outageMs === null) throw new lab.LabError('NODE_FAILED', 'nothing was acknowledged around the failover')
  return [upMs, record.outageMs]
}
