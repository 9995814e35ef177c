/**
 * The first primary's first start, as the official image does it: initdb, a temporary server on the Unix socket only,
 * the database, the scripts of /docker-entrypoint-initdb.d.
 * https://github.com/docker-library/docs/blob/master/postgres/README.md#initialization-scripts
 */
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { escapeIdentifier } from 'pg'
import { LabError } from '../../errors.ts'
import { connect, type Session } from '../../postgres/connection.ts'
import { initdbArguments } from '../../topology/credentials.ts'
import type { NodeSpec, Topology } from '../../topology/topology.ts'
import { waitUntil } from '../../wait.ts'
import { lastWords } from '../../postgres/last-words.ts'
import { lastLines, run, type CommandOptions } from '../command.ts'
import { parseInitSql } from './init-sql.ts'
import { beginInitialising } from './data.ts'
import { bindOf, dataOf, volumeOf, writeOwned, type Place } from './place.ts'
import { signalAll, waitUntilGone } from './processes.ts'
import {
  nodeEnvironment,
  noted,
  postgresCommand,
  serverProcesses,
  spawnDetached,
  takesConnections,
  type Host,
} from './server.ts'

export interface InitialiseOptions {
  readonly topology: Topology
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** Makes the database of the first primary. Interrupted at any point, it starts from the beginning the next time. */
export async function initialise(host: Host, node: NodeSpec, options: InitialiseOptions): Promise<void> {
  const { place } = host
  await beginInitialising(place, node)
  await rm(passwordFileOf(place, node), { force: true }) // of one that was killed
  const making: Making = {
    ...{ host, node, ...options },
    command: {
      environment: nodeEnvironment(host, node),
      cwd: place.root,
      account: place.account,
      ...{ timeoutMs: options.timeoutMs, signal: options.signal },
    },
  }
  await initdb(making)
  // fsync=off: should the machine die in this second, the marker is still there and all begins anew.
  const [program, ...settings] = postgresCommand(host, node, ['--listen_addresses=', '--fsync=off'])
  await spawnDetached(host, node, [program, ...settings])
  try {
    await createDatabase(making)
    await runInitScripts(making)
  } finally {
    const pids = await serverProcesses(place, node)
    signalAll(pids.slice(0, 1), 'SIGINT')
    await waitUntilGone(pids, 'the server for the init scripts', { timeoutMs: 20_000 })
  }
}

const passwordFileOf = (place: Place, node: NodeSpec): string => join(volumeOf(place, node), '.initdb-password')

interface Making extends InitialiseOptions {
  readonly host: Host
  readonly node: NodeSpec
  readonly command: CommandOptions
}

async function initdb({ host, node, topology, command }: Making): Promise<void> {
  const passwordFile = passwordFileOf(host.place, node)
  await writeOwned(host.place, passwordFile, { text: topology.superuser.password, mode: 0o600 })
  const program = join(host.binaries.directory, 'initdb')
  const where = ['-D', dataOf(host.place, node), '-U', topology.superuser.user, `--pwfile=${passwordFile}`]
  const argv = [...where, '--encoding=UTF8', '--no-sync', '--no-instructions', ...(await locale(command))]
  argv.push(...initdbArguments(node.environment)) // the later of two wins
  const result = await run(noted(host.place, node, [program, ...argv]), command).finally(() =>
    rm(passwordFile, { force: true }),
  )
  if (result.exitCode === 0) return
  throw new LabError('NODE_FAILED', `initdb failed for ${node.name}: ${lastWords(result.stderr)}`, {
    hint: `What it lacks is told above. The data is in ${volumeOf(host.place, node)}; another place can be chosen with LAB_STATE_DIR.`,
  })
}

/** That of the official image, where this machine has it: text sorts by its rules there. Else it sorts by its bytes. */
async function locale(command: CommandOptions): Promise<string[]> {
  const listed = await run(['locale', '-a'], command).catch(() => undefined)
  const found = listed?.stdout.split('\n').find(name => /^en_US\.utf-?8$/i.test(name))
  return found === undefined ? [] : [`--locale=${found}`]
}

/** Over the Unix socket, as the superuser. */
async function connectBySocket({ host, node, topology, signal }: Making, database: string): Promise<Session> {
  return await connect({ host: host.place.sockets, port: node.client.port, ...topology.superuser, database, signal })
}

async function createDatabase(making: Making): Promise<void> {
  const { host, node, topology, timeoutMs, signal } = making
  await waitUntil(takesConnections(host.place, node), { timeoutMs, signal, intervalMs: 2 })
  await using session = await connectBySocket(making, 'postgres')
  if (topology.database !== 'postgres') await session.query(`CREATE DATABASE ${escapeIdentifier(topology.database)}`)
}

/** In the order of their names; .sql through psql where there is one. */
async function runInitScripts(making: Making): Promise<void> {
  const { host, node, topology } = making
  const folder = bindOf(host.place, '/docker-entrypoint-initdb.d')
  const { user, password } = topology.superuser
  const environment = {
    ...making.command.environment,
    ...{ PGHOST: host.place.sockets, PGPORT: String(node.client.port), PGUSER: user, PGPASSWORD: password },
    PGDATABASE: topology.database,
  }
  const command = { ...making.command, environment }
  for (const name of (await readdir(folder)).sort()) {
    const path = join(folder, name)
    if (name.endsWith('.sh')) await runScript(name, ['bash', '-e', path], command)
    else if (!name.endsWith('.sql')) continue
    else if (host.binaries.programs.has('psql')) {
      const psql = join(host.binaries.directory, 'psql')
      await runScript(name, [psql, '--no-psqlrc', '-qv', 'ON_ERROR_STOP=1', '-f', path], command)
    } else await runSqlByHand(making, parseInitSql(await readFile(path, 'utf8'), environment))
  }
}

async function runSqlByHand(making: Making, statements: readonly string[]): Promise<void> {
  await using session = await connectBySocket(making, making.topology.database)
  for (const statement of statements) await session.query(statement)
}

async function runScript(name: string, argv: [string, ...string[]], options: CommandOptions): Promise<void> {
  const { exitCode, stderr, stdout } = await run(argv, options)
  if (exitCode === 0) return
  throw new LabError('NODE_FAILED', `primary-init/${name} failed: ${lastLines(stderr || stdout, 3)}`, {
    hint: 'Mend the script; the next pnpm run up starts from an empty database.',
  })
}
