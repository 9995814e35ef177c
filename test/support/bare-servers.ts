/**
 * Servers that the lab has not made: initdb, pg_basebackup and pg_ctl, one primary and its standbys, and nothing beside them.
 */
import { appendFile, chmod, chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { findBinaries } from '../../src/runtime/binaries.ts'
import { run } from '../../src/runtime/command.ts'
import { releaseSharedMemory } from '../../src/runtime/local/shared-memory.ts'
import { freePorts } from '../../src/temporary-cluster.ts'
import { TEST_STATE_DIR } from './runtimes.ts'

interface Account {
  readonly uid: number
  readonly gid: number
}

/** Of every server here; it must not be seen in anything that is printed or kept. */
export const SECRET = 'it-is-a-secret'

export class BareServers implements AsyncDisposable {
  /** The primary's first. */
  readonly ports: number[] = []
  readonly folder: string
  readonly #bin: string
  readonly #account: Account | undefined

  private constructor(parts: { folder: string; bin: string; account: Account | undefined }) {
    this.folder = parts.folder
    this.#bin = parts.bin
    this.#account = parts.account
  }

  /** A primary, and so many standbys that stream from it. */
  static async start({ standbys = 1 }: { readonly standbys?: number } = {}): Promise<BareServers> {
    const { directory: bin } = await findBinaries(process.env)
    const account = process.getuid?.() === 0 ? await unprivileged() : undefined
    const folder = await mkdtemp(`${TEST_STATE_DIR}-bare-`)
    if (account !== undefined) await chown(folder, account.uid, account.gid)
    const servers = new BareServers({ folder, bin, account })
    try {
      await servers.#startPrimary()
      for (let at = 1; at <= standbys; at++) await servers.#startStandby(at)
    } catch (error) {
      await servers[Symbol.asyncDispose]()
      throw error
    }
    return servers
  }

  async #startPrimary(): Promise<void> {
    const passwordFile = join(this.folder, 'password')
    await writeFile(passwordFile, SECRET)
    await chmod(passwordFile, 0o644)
    const data = this.#data(0)
    await this.#do('initdb', '-D', data, '-U', 'postgres', '-A', 'scram-sha-256', '--pwfile', passwordFile, '--no-sync')
    const settings = ["listen_addresses='127.0.0.1'", "unix_socket_directories=''", 'fsync=off', MMAP]
    await appendFile(join(data, 'postgresql.conf'), `${settings.join('\n')}\n`)
    await this.#startServer(0)
  }

  async #startStandby(at: number): Promise<void> {
    const from = ['-h', '127.0.0.1', '-p', String(this.ports[0]), '-U', 'postgres']
    await this.#do('pg_basebackup', ...from, '-D', this.#data(at), '-R', '-c', 'fast', '--no-sync')
    await this.#startServer(at)
  }

  async #startServer(at: number): Promise<void> {
    // Chosen now: a port that was free before its data was made may be taken by then.
    const [port = 0] = await freePorts(1)
    await appendFile(join(this.#data(at), 'postgresql.conf'), `port=${port}\n`)
    this.ports.push(port)
    const log = `${this.#data(at)}.log`
    await this.#do('pg_ctl', '-D', this.#data(at), '-l', log, '-w', 'start').catch(async (error: unknown) => {
      throw new Error(await readFile(log, 'utf8'), { cause: error })
    })
  }

  #data(at: number): string {
    return join(this.folder, `data${at}`)
  }

  /** With the password, unless another user is named. */
  url(at: number, login = `postgres:${SECRET}`): string {
    return `postgresql://${login}@127.0.0.1:${this.ports[at]}/postgres`
  }

  /** As the instrument calls it. */
  name(at: number): string {
    return `127.0.0.1:${this.ports[at]}`
  }

  /** A line for a shell: SIGKILL to the postmaster. */
  killing(at: number): string {
    return `kill -KILL $(head -1 ${this.#data(at)}/postmaster.pid)`
  }

  /** A line for a shell. */
  sql(at: number, statement: string): string {
    return `${join(this.#bin, 'psql')} '${this.url(at)}' -v ON_ERROR_STOP=1 -Atc "${statement}"`
  }

  /** A line for a shell: its connections end, and it is there again. */
  restarting(at: number): string {
    const as =
      this.#account === undefined
        ? ''
        : `setpriv --reuid=${this.#account.uid} --regid=${this.#account.gid} --clear-groups `
    return `cd / && ${as}${join(this.#bin, 'pg_ctl')} -D ${this.#data(at)} -l ${this.#data(at)}.log -w -m immediate restart`
  }

  async query<T extends pg.QueryResultRow>(at: number, text: string): Promise<T[]> {
    const client = new pg.Client({ connectionString: this.url(at) })
    client.on('error', () => undefined) // the query fails by the same
    await client.connect()
    try {
      return (await client.query<T>(text)).rows
    } finally {
      await client.end().catch(() => undefined)
    }
  }

  async #do(program: string, ...args: readonly string[]): Promise<void> {
    const environment = { PATH: process.env['PATH'], LC_ALL: 'C', PGPASSWORD: SECRET }
    const options = { environment, account: this.#account, cwd: '/' }
    const { exitCode, stdout, stderr } = await run([join(this.#bin, program), ...args], options)
    if (exitCode !== 0) throw new Error(`${program} has failed: ${stdout}${stderr}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const at of this.ports.keys()) {
      await this.#do('pg_ctl', '-D', this.#data(at), '-m', 'immediate', '-w', 'stop').catch(() => undefined) // it is down
      await releaseSharedMemory(this.#data(at))
    }
    await rm(this.folder, { recursive: true })
  }
}

/** Or a server that is killed leaves files in /dev/shm. */
const MMAP = 'dynamic_shared_memory_type=mmap'

/** PostgreSQL refuses to run as root. */
async function unprivileged(): Promise<Account> {
  for (const name of ['postgres', 'nobody']) {
    const [uid, gid] = await Promise.all(
      ['-u', '-g'].map(flag => run(['id', flag, name], { environment: process.env })),
    )
    if (uid?.exitCode === 0 && gid?.exitCode === 0) return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
  }
  throw new Error('there is no user to run PostgreSQL as')
}
