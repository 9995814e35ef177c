/**
 * The commands that manage a cluster: up, down, status, psql, logs; and what none of them ever shows.
 */
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { FailoverRecord } from '../../src/index.ts'
import { run } from '../../src/runtime/command.ts'
import { CliCluster, expectAllStreaming, expectRefusal } from '../support/cli.ts'
import { watchCommandLines } from '../support/command-lines.ts'
import { ALSO_ON_DOCKER, describeEachRuntime, type TestRuntime } from '../support/runtimes.ts'

describeEachRuntime('the command line on a cluster', runtime => {
  test('tells the roles, and that nothing answers when nothing is up', async () => {
    await using cluster = await CliCluster.describe(runtime)
    const before = await cluster.run('status')
    expect(before).toMatchObject({ exitCode: 0, stderr: '' })
    expect(before.stdout).toContain('unreachable')
    expect(before.stdout, 'what to do').toContain('pnpm run up')
    expect((await cluster.nodes()).map(({ role }) => role)).toEqual(['unreachable', 'unreachable', 'unreachable'])

    expect(await cluster.run('up')).toMatchObject({ exitCode: 0, stderr: '' })
    const { document } = await cluster.json('status')
    const at = (node: string): object => ({ name: node, host: '127.0.0.1', port: cluster.port(node), timeline: 1 })
    expect(document).toMatchObject({
      version: 1,
      runtime: runtime === 'docker' ? 'docker' : 'local',
      nodes: [
        { ...at('primary'), role: 'primary', replication: [{ state: 'streaming' }, { state: 'streaming' }] },
        { ...at('replica1'), role: 'standby', walReceiver: { status: 'streaming' } },
        { ...at('replica2'), role: 'standby', walReceiver: { status: 'streaming' } },
      ],
    })
  })

  test('keeps the rows with down --keep-data, removes everything with down, and down twice is fine', async () => {
    await using cluster = await CliCluster.up(runtime)
    expect((await cluster.run('demo', '--inserts', '7')).exitCode).toBe(0)
    expect(await cluster.run('down', '--keep-data')).toMatchObject({ exitCode: 0, stderr: '' })
    expect(await cluster.run('down', '--keep-data')).toMatchObject({ exitCode: 0, stderr: '' })
    expect((await cluster.run('up')).exitCode).toBe(0)
    await expectAllStreaming(cluster)
    expect((await cluster.json('demo', '--inserts', '1')).document, '7 and 3 before, 3 and 1 now').toMatchObject({
      primary: { count: 14 },
    })
    expect(await cluster.run('down')).toMatchObject({ exitCode: 0, stderr: '' })
    expect(await cluster.run('down')).toMatchObject({ exitCode: 0, stderr: '' })
    expect((await cluster.nodes()).map(node => (node.role === 'unreachable' ? node.state : node.role))).toEqual([
      'absent',
      'absent',
      'absent',
    ])
  })
})

// psql and logs, and whatever may show a password, go other ways in containers. What the npm package has not is told at the end.
describeEachRuntime('the command line on a cluster', goesToTheNodes, ALSO_ON_DOCKER)

function goesToTheNodes(runtime: TestRuntime): void {
  let cluster: CliCluster
  beforeAll(async () => {
    cluster = await CliCluster.up(runtime)
  })
  afterAll(async () => cluster[Symbol.asyncDispose]())

  test('psql goes to roles and to nodes, also after a failover', async () => {
    const ask = async (...target: string[]): Promise<string> => {
      const { exitCode, stdout, stderr } = await cluster.run(
        'psql',
        ...target,
        '-Atc',
        "SELECT pg_is_in_recovery(), current_setting('cluster_name')",
      )
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
      return stdout.trim()
    }
    expect(await ask()).toBe('f|primary')
    expect(await ask('primary')).toBe('f|primary')
    expect(await ask('standby')).toMatch(/^t\|replica[12]$/)
    expect(await ask('replica2')).toBe('t|replica2')

    const { newPrimary } = (await cluster.json('failover')).document as FailoverRecord
    expect(await ask('primary')).toBe(`f|${newPrimary}`)
    expect(await ask()).toBe(`f|${newPrimary}`)
    expect(await ask(newPrimary)).toBe(`f|${newPrimary}`)
    expect(await ask('standby')).toMatch(/^t\|/)
    expect((await cluster.run('psql', 'primary', '-c', 'SELECT nonsense')).exitCode, "psql's own exit code").toBe(1)
    if (runtime !== 'docker') return

    const rename = (from: string, to: string): Promise<unknown> =>
      run(['docker', 'rename', `${cluster.project}_${from}`, `${cluster.project}_${to}`], { environment: process.env })
    await rename('replica2', 'renamed')
    expect(await ask('replica2'), 'whatever the container is called').toMatch(/^[ft]\|replica2$/)
    await rename('renamed', 'replica2')
  })

  test('prints the last lines of a log, or of every log', async () => {
    const { exitCode, stdout, stderr } = await cluster.run('logs', 'replica1', '--lines', '3')
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(stdout.trimEnd().split('\n')).toHaveLength(3)
    const all = await cluster.run('logs')
    for (const node of ['primary', 'replica1', 'replica2']) expect(all.stdout).toContain(`==> ${node} <==`)
    const following = cluster.start('logs', '--follow')
    await following.shows('started streaming WAL')
    following.interrupt()
    expect((await following.ended).stderr).toBe('')
  })

  test('shows no password: not in its output, nor in a command line, nor in a log', async () => {
    const passwords = {
      POSTGRES_PASSWORD: "quite'Secret1",
      REPLICATION_PASSWORD: 'quite:Secret2',
      LAB_PASSWORD: 'quite\\Secret3',
    }
    await using own = await CliCluster.describe(runtime, passwords)
    const outputs: string[] = []
    await using programs = watchCommandLines()
    for (const command of ['up', 'demo', 'failover', 'status', 'logs']) {
      const { exitCode, stdout, stderr } = await own.run(
        command,
        ...(command === 'logs' ? ['--lines', '100000'] : ['--json']),
      )
      expect(exitCode, stdout + stderr).toBe(0)
      outputs.push(stdout, stderr)
    }
    await programs[Symbol.asyncDispose]()
    for (const program of ['pg_basebackup', 'pg_rewind'])
      expect(
        [...programs.seen].filter(line => line.includes(program)),
        'it was seen',
      ).not.toEqual([])
    outputs.push(...programs.seen)
    if (runtime === 'docker') {
      const names = ['primary', 'replica1', 'replica2'].map(node => `${own.project}_${node}`)
      const format =
        '{{json .Path}} {{json .Args}} {{json .Config.Cmd}} {{json .Config.Entrypoint}} {{json .Config.Healthcheck}}'
      outputs.push(
        (await run(['docker', 'inspect', '--format', format, ...names], { environment: process.env })).stdout,
      )
    }
    for (const output of outputs) expect(output).not.toContain('Secret')
  })
}

describeEachRuntime(
  'psql on a machine without psql',
  runtime => {
    test('is an error that tells how to connect, and how to get it', async () => {
      const bin = mkdtempSync(join(tmpdir(), 'labtest-path-'))
      for (const program of ['bash', 'id', 'ps']) symlinkSync(await which(program), join(bin, program))
      await using cluster = await CliCluster.up(runtime)
      const result = await cluster.runWith({ PATH: bin }, 'psql')
      const url = await cluster.runWith({ PATH: bin }, 'psql', '--url')
      rmSync(bin, { recursive: true })
      expectRefusal(result, {
        exitCode: 1,
        fact: 'there is no psql on this machine',
        hint: 'apt-get install postgresql-client',
      })
      expect(result.stderr).toContain('pnpm run psql primary --url prints')
      expect(result.stderr).not.toMatch(/password|postgresql:/)
      expect(url.stdout).toMatch(`@127.0.0.1:${cluster.port('primary')}/testdb\n`)
    })
  },
  ['npm'],
)

const which = async (program: string): Promise<string> =>
  (await run(['which', program], { environment: process.env })).stdout.trim()
