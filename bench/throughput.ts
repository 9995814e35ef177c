/**
 * How many writes a second: the lab's client against pgbench, and with every node looked at against without.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as lab from '../src/index.ts'
import type { Binaries } from '../src/runtime/binaries.ts'
import { lastLines, run } from '../src/runtime/command.ts'
import type { Sample } from './samples.ts'

const CONNECTIONS = 8
/** Of each measurement: some seconds, so that neither a checkpoint nor a slow start decides. */
const WRITES = 20_000
const LIMIT = { timeoutMs: 120_000 }
/** More than any machine does: every write is due at once, and the client is as fast as it can be. */
const UNLIMITED = 10_000_000

/** Milliseconds for {@link WRITES} writes, by turns on one cluster: pgbench, the client alone, the client in a trial. */
export async function measureThroughput(
  cluster: lab.Cluster,
  binaries: Binaries,
  signal: AbortSignal,
): Promise<readonly Sample[]> {
  await warmUp(cluster, signal)
  const pgbench = await runPgbench(cluster, binaries, signal)
  const alone = await writeAlone(cluster, signal)
  const looked = await writeInTrial(cluster, signal)
  return [
    { name: 'writer', floorMs: pgbench, oursMs: alone },
    { name: 'sampling', floorMs: alone, oursMs: looked },
  ]
}

async function warmUp(cluster: lab.Cluster, signal: AbortSignal): Promise<void> {
  await using writer = await lab.startWriter(cluster, { ratePerSecond: UNLIMITED, connections: CONNECTIONS, signal })
  await writer.acknowledges(WRITES / 4, LIMIT)
}

async function writeAlone(cluster: lab.Cluster, signal: AbortSignal): Promise<number> {
  await using writer = await lab.startWriter(cluster, { ratePerSecond: UNLIMITED, connections: CONNECTIONS, signal })
  return await timeOf(writer)
}

async function writeInTrial(cluster: lab.Cluster, signal: AbortSignal): Promise<number> {
  await using trial = await lab.startTrial(cluster, { ratePerSecond: UNLIMITED, connections: CONNECTIONS, signal })
  return await timeOf(trial.writer)
}

async function timeOf(writer: lab.Writer): Promise<number> {
  await writer.acknowledges(1, LIMIT)
  const startedAt = performance.now()
  await writer.acknowledges(WRITES, LIMIT)
  return performance.now() - startedAt
}

/** The same statement, prepared, over as many connections. https://www.postgresql.org/docs/current/pgbench.html */
async function runPgbench(cluster: lab.Cluster, { directory }: Binaries, signal: AbortSignal): Promise<number> {
  const { name } = await cluster.primary(signal)
  const { host, port } = cluster.runtime.clientEndpoint(name)
  const { topology } = cluster
  const folder = await mkdtemp(join(tmpdir(), 'pg-failover-bench-'))
  try {
    const script = join(folder, 'insert.sql')
    await writeFile(
      script,
      `INSERT INTO ${lab.WRITES_TABLE} (run, id) VALUES ('00000000-0000-0000-0000-000000000000', :client_id);\n`,
    )
    const argv = [
      ...[join(directory, 'pgbench'), '--no-vacuum', '--protocol=prepared', `--file=${script}`],
      ...[`--client=${CONNECTIONS}`, '--jobs=2', `--transactions=${WRITES / CONNECTIONS}`],
      ...[`--host=${host}`, `--port=${port}`, `--username=${topology.lab.user}`, topology.database],
    ] as [string, ...string[]]
    const environment = { ...process.env, PGPASSWORD: topology.lab.password, LC_ALL: 'C' }
    const { exitCode, stdout, stderr } = await run(argv, { environment, timeoutMs: 600_000, signal })
    const perSecond = Number(/^tps = ([\d.]+)/m.exec(stdout)?.[1])
    if (exitCode === 0 && perSecond > 0) return (WRITES * 1000) / perSecond
    throw new lab.LabError('NODE_FAILED', `pgbench failed: ${lastLines(stdout + stderr, 2)}`, {
      hint: 'It must be a pgbench that the server knows; --only up,failover leaves it out.',
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
