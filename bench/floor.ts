/**
 * The floor: the same work with PostgreSQL's bare programs, run as a person would script them.
 */
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { LabError } from '../src/errors.ts'
import { connect, type Session } from '../src/postgres/connection.ts'
import type { Binaries } from '../src/runtime/binaries.ts'
import { lastLines, run } from '../src/runtime/command.ts'
import { ownAll, type Account, type Place } from '../src/runtime/local/place.ts'
import { processTree, signalAll } from '../src/runtime/local/processes.ts'
import { releaseSharedMemory } from '../src/runtime/local/shared-memory.ts'

export interface FloorOptions {
  readonly binaries: Binaries
  readonly folder: string
  readonly account: Account | undefined
  /** Of the primary and the two standbys. */
  readonly ports: readonly [number, number, number]
  readonly signal: AbortSignal
}

const NAMES = ['primary', 'replica1', 'replica2'] as const

/** Three bare servers. Disposing of them ends them and removes their data. */
export class Floor implements AsyncDisposable {
  readonly #options: FloorOptions
  constructor(options: FloorOptions) {
    this.#options = options
  }

  /** Nothing → three nodes: initdb, a server, two pg_basebackup side by side, two servers. Milliseconds. */
  async up(): Promise<number> {
    const { folder, ports, account } = this.#options
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await ownAll({ account, root: folder, sockets: folder } satisfies Place, folder)
    const startedAt = performance.now()
    await this.#program('initdb', [
      '-D',
      this.#data(0),
      '--no-sync',
      '-U',
      'postgres',
      '--auth',
      'trust',
      '--data-checksums',
    ])
    await this.#start(0)
    await Promise.all(
      [1, 2].map(async at => {
        const source = ['-h', '127.0.0.1', '-p', String(ports[0]), '-U', 'postgres']
        await this.#program('pg_basebackup', [
          ...source,
          '-D',
          this.#data(at),
          '-R',
          '-X',
          'stream',
          '-c',
          'fast',
          '--no-sync',
        ])
        await this.#start(at)
      }),
    )
    return performance.now() - startedAt
  }

  /** SIGKILL of the primary → first write on the promoted standby, one client that does nothing else. Milliseconds. */
  async failover(): Promise<number> {
    await using primary = await this.#connect(0)
    await using standby = await this.#connect(1)
    await primary.query('CREATE TABLE writes (id int)')
    for (let id = 0; id < 100; id++) await primary.query('INSERT INTO writes VALUES ($1)', [id], { name: 'insert' })
    const postmaster = Number((await readFile(join(this.#data(0), 'postmaster.pid'), 'utf8')).split('\n')[0])
    const pids = (await processTree(postmaster)).map(({ pid }) => pid)
    const acknowledgedAt = performance.now()
    signalAll(pids, 'SIGKILL')
    while (!primary.lost.aborted) await primary.query('SELECT 1').catch(() => undefined)
    await standby.query('SELECT pg_promote(wait => false)')
    while (!(await this.#accepts(standby)));
    return performance.now() - acknowledgedAt
  }

  async #accepts(session: Session): Promise<boolean> {
    return await session.query('INSERT INTO writes VALUES (0)').then(
      () => true,
      () => false, // 25006 until the promotion is done
    )
  }

  async #connect(at: 0 | 1): Promise<Session> {
    return await connect({
      host: '127.0.0.1',
      port: this.#options.ports[at],
      user: 'postgres',
      password: '',
      database: 'postgres',
    })
  }

  async #start(at: number): Promise<void> {
    const { folder, ports } = this.#options
    // mmap: in /dev/shm it would outlive the server that is killed.
    const settings = `-p ${ports[at]} -c listen_addresses=127.0.0.1 -k ${folder} -c wal_retrieve_retry_interval=100ms -c cluster_name=${NAMES[at]} -c dynamic_shared_memory_type=mmap`
    await this.#program('pg_ctl', [
      '-D',
      this.#data(at),
      '-w',
      '-s',
      '-l',
      `${this.#data(at)}.log`,
      '-o',
      settings,
      'start',
    ])
  }

  async #program(name: string, args: readonly string[]): Promise<void> {
    const { binaries, account, folder, signal } = this.#options
    const environment = { PATH: process.env['PATH'], LC_ALL: 'C', HOME: folder }
    const result = await run([join(binaries.directory, name), ...args], { environment, account, cwd: folder, signal })
    if (result.exitCode === 0) return
    throw new LabError('NODE_FAILED', `${name}, run for the floor, failed: ${lastLines(result.stderr, 2)}`, {
      hint: 'The floor needs a complete PostgreSQL: initdb, pg_ctl and pg_basebackup.',
    })
  }

  #data(at: number): string {
    return join(this.#options.folder, NAMES[at] ?? '')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { binaries, account, folder } = this.#options
    for (const name of NAMES) {
      const stop = [
        join(binaries.directory, 'pg_ctl'),
        '-D',
        join(folder, name),
        '-m',
        'immediate',
        '-s',
        'stop',
      ] as const
      await run([...stop], { environment: {}, account, cwd: '/' }).catch(() => undefined)
    }
    await releaseSharedMemory(this.#data(0)) // of the one that was killed
    await rm(folder, { recursive: true, force: true })
  }
}
