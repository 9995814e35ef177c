/**
 * docker-compose.yml by itself, with none of our code: plain Compose and psql, as the guides have it.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run } from '../../src/runtime/command.ts'
import type { CommandResult } from '../../src/runtime/runtime.ts'
import { met, notMet, waitUntil } from '../../src/wait.ts'
import { CliCluster, ROOT } from '../support/cli.ts'
import { describeEachRuntime, TIMEOUT_MS } from '../support/runtimes.ts'

const NODES = ['primary', 'replica1', 'replica2']
const STREAMING =
  "SELECT slot_name FROM pg_replication_slots JOIN pg_stat_replication ON pid = active_pid WHERE state = 'streaming' ORDER BY 1"

describeEachRuntime(
  'plain Compose',
  () => {
    let cluster: ComposeCluster
    beforeAll(async () => {
      cluster = await composeUp()
    })
    afterAll(async () => cluster[Symbol.asyncDispose]())

    test('brings up three healthy containers, the replicas streaming each through its own slot', async () => {
      const { stdout } = await cluster.docker(
        'ps',
        '--filter',
        `name=${cluster.prefix}_`,
        '--format',
        '{{.Names}} {{.Status}}',
      )
      const healthy = stdout.trim().split('\n').sort()
      expect(healthy.map(line => line.replace(/Up .*\(/, '('))).toEqual(
        NODES.map(node => `${cluster.prefix}_${node} (healthy)`),
      )
      expect(await cluster.ask('primary', STREAMING)).toEqual(['replica1', 'replica2'])
      expect(await cluster.roles()).toEqual(['f', 't', 't'])
    })

    test("answers the guides' lines as the guides say", async () => {
      const rows = await cluster.ask(
        'primary',
        'SELECT client_addr, state, sent_lsn, replay_lsn, replay_lag FROM pg_stat_replication',
      )
      expect(rows).toHaveLength(2)
      for (const row of rows) expect(row).toMatch(/^\d+(\.\d+){3}\|streaming\|0\/\w+\|0\/\w+\|/)
      expect(
        await cluster.ask('primary', 'SELECT application_name, state, sync_state FROM pg_stat_replication ORDER BY 1'),
      ).toEqual(['replica1|streaming|async', 'replica2|streaming|async'])

      await cluster.ask(
        'primary',
        "CREATE TABLE users (name text, email text); INSERT INTO users VALUES ('Alice', 'alice@example.com')",
      )
      await cluster.becomes('replica1', "SELECT to_regclass('users') IS NOT NULL", 't')
      const refused = await cluster.psql('replica1', "INSERT INTO users (name, email) VALUES ('test', 'test@test.com')")
      expect(refused.exitCode).not.toBe(0)
      expect(refused.stderr).toContain('ERROR:  cannot execute INSERT in a read-only transaction')

      const asReplicator = [
        'exec',
        '-e',
        'PGPASSWORD=replicator_password',
        `${cluster.prefix}_replica1`,
        'psql',
        '-h',
        'primary',
        '-U',
        'replicator',
      ]
      const intruder = await cluster.docker(...asReplicator, '-d', 'testdb', '-c', 'SELECT 1')
      expect(intruder.stderr).toContain('pg_hba.conf rejects connection')
    })

    test('keeps the roles over a restart', async () => {
      await cluster.compose('restart')
      await cluster.compose('up', '--detach', '--wait')
      expect(await cluster.roles()).toEqual(['f', 't', 't'])
      expect(await cluster.ask('primary', STREAMING)).toEqual(['replica1', 'replica2'])
    })

    test('the manual failover of the guides leaves one primary, also over down and up', async () => {
      await using cluster = await composeUp()
      await cluster.compose('stop', 'primary')
      expect(await cluster.ask('replica1', 'SELECT pg_promote()')).toEqual(['t'])
      await cluster.ask('replica1', 'CREATE TABLE after_failover (id int)')
      await cluster.compose('start', 'primary')
      await cluster.becomes('replica1', `SELECT 'primary' IN (${STREAMING})`, 't')
      expect(await cluster.roles()).toEqual(['t', 'f', 't'])

      // Slots are not replicated, and nobody has made one for replica2 here: its own start does.
      await cluster.compose('restart', 'replica2')
      await cluster.becomes('replica1', STREAMING, 'primary\nreplica2')

      expect(await cluster.anonymousVolumes(), 'nobody would remove them').toEqual([])
      await cluster.compose('down')
      await cluster.compose('up', '--detach')
      await cluster.becomes('replica1', 'SELECT pg_is_in_recovery()', 'f')
      await cluster.becomes('replica1', STREAMING, 'primary\nreplica2')
      expect(await cluster.roles()).toEqual(['t', 'f', 't'])
      expect(await cluster.ask('primary', "SELECT to_regclass('after_failover')")).toEqual(['after_failover'])
    })

    test('finishes a clone that was killed', async () => {
      await using cluster = await describeCompose()
      await cluster.compose('up', '--detach', 'primary', 'replica1')
      await cluster.logs('replica1', 'cloning from the primary')
      await cluster.docker('kill', `${cluster.prefix}_replica1`)
      await cluster.docker('start', `${cluster.prefix}_replica1`)
      await cluster.becomes('primary', STREAMING, 'replica1')
    })

    test("begins anew when the primary's first start was killed", async () => {
      await using cluster = await describeCompose()
      await cluster.compose('up', '--detach', 'primary')
      await cluster.docker('kill', `${cluster.prefix}_primary`)
      await cluster.compose('up', '--detach', '--wait')
      const names = "SELECT rolname FROM pg_roles WHERE rolname IN ('postgres', 'replicator', 'lab') ORDER BY 1"
      expect(await cluster.ask('primary', names)).toEqual(['lab', 'postgres', 'replicator'])
      expect(await cluster.ask('primary', STREAMING)).toEqual(['replica1', 'replica2'])
    })

    test.for(['postgres-standin:15', 'postgres-standin:17-layout18'])(
      'runs the image %s, too',
      async (image, { skip }) => {
        const { exitCode } = await run(['docker', 'image', 'inspect', image], { environment: process.env })
        skip(exitCode !== 0, `left out: the engine does not have ${image}`)
        await using cluster = await composeUp({ POSTGRES_IMAGE: image })
        expect(await cluster.ask('primary', STREAMING)).toEqual(['replica1', 'replica2'])
        expect(await cluster.ask('replica2', 'SHOW data_directory')).toEqual(['/var/lib/postgresql/pgdata'])
      },
    )
  },
  ['docker'],
)

class ComposeCluster implements AsyncDisposable {
  readonly prefix: string
  readonly #environment: CliCluster['environment']

  constructor({ project, environment }: CliCluster) {
    this.prefix = project
    this.#environment = environment
  }

  docker(...args: readonly string[]): Promise<CommandResult> {
    return run(['docker', ...args], { environment: this.#environment })
  }

  async compose(...args: readonly string[]): Promise<void> {
    const { exitCode, stderr } = await run(['docker', 'compose', ...args], {
      ...{ environment: this.#environment, cwd: ROOT, timeoutMs: TIMEOUT_MS },
    })
    expect(exitCode, stderr).toBe(0)
  }

  psql(node: string, sql: string): Promise<CommandResult> {
    return this.docker('exec', `${this.prefix}_${node}`, 'psql', '-U', 'postgres', '-d', 'testdb', '-Atqc', sql)
  }

  /** The lines that psql prints. */
  async ask(node: string, sql: string): Promise<string[]> {
    const { exitCode, stdout, stderr } = await this.psql(node, sql)
    expect(exitCode, stderr).toBe(0)
    return stdout.split('\n').filter(Boolean)
  }

  /** pg_is_in_recovery() of each node. */
  async roles(): Promise<string[]> {
    return (await Promise.all(NODES.map(node => this.ask(node, 'SELECT pg_is_in_recovery()')))).flat()
  }

  async becomes(node: string, sql: string, expected: string): Promise<void> {
    await this.#waitUntilSeen(
      `${node} to answer "${expected}"`,
      () => this.psql(node, sql),
      seen => seen.trim() === expected,
    )
  }

  async logs(node: string, text: string): Promise<void> {
    await this.#waitUntilSeen(
      `${node} to log "${text}"`,
      () => this.docker('logs', `${this.prefix}_${node}`),
      seen => seen.includes(text),
    )
  }

  /** What the images up to 17 would make for each container, and a plain `down` leave: a name of 64 digits, and no label. */
  async anonymousVolumes(): Promise<string[]> {
    const { stdout: containers } = await this.docker('ps', '--all', '--quiet', '--filter', `name=${this.prefix}_`)
    const format = '{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}'
    const { stdout } = await this.docker('inspect', '--format', format, ...containers.trim().split('\n'))
    return stdout.split(/\s+/).filter(name => /^[0-9a-f]{64}$/.test(name))
  }

  async #waitUntilSeen(
    what: string,
    look: () => Promise<CommandResult>,
    isIt: (seen: string) => boolean,
  ): Promise<void> {
    const observe = async (): Promise<ReturnType<typeof met<undefined>> | ReturnType<typeof notMet>> => {
      const { stdout, stderr } = await look()
      return isIt(stdout + stderr) ? met(undefined) : notMet(stdout + stderr)
    }
    await waitUntil({ what, observe }, { timeoutMs: TIMEOUT_MS })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.compose('down', '--volumes', '--timeout', '0')
  }
}

const describeCompose = async (environment: CliCluster['environment'] = {}): Promise<ComposeCluster> =>
  new ComposeCluster(await CliCluster.describe('docker', { HEALTHCHECK_INTERVAL: '1s', ...environment }))

async function composeUp(environment: CliCluster['environment'] = {}): Promise<ComposeCluster> {
  const cluster = await describeCompose(environment)
  try {
    await cluster.compose('up', '--detach', '--wait')
  } catch (error) {
    await cluster[Symbol.asyncDispose]()
    throw error
  }
  return cluster
}
