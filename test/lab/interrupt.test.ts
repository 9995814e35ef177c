/**
 * Ctrl-C, and worse, at any moment: the next `up` always ends with a cluster that is well.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { run } from '../../src/runtime/command.ts'
import { met, notMet, waitUntil } from '../../src/wait.ts'
import { CliCluster, expectAllStreaming, type Invocation } from '../support/cli.ts'
import {
  ALSO_ON_DOCKER,
  describeEachRuntime,
  TEST_STATE_DIR,
  TIMEOUT_MS,
  type TestRuntime,
} from '../support/runtimes.ts'

/** Six interrupted failovers and as many recoveries. */
const MANY_TIMEOUT_MS = 300_000

interface Moment {
  readonly when: string
  readonly happened: (cluster: CliCluster, up: Invocation) => boolean | Promise<boolean>
}

/** Instants of a first `up`, in the order of their coming. */
const MOMENTS: Readonly<Record<'docker' | 'local', readonly Moment[]>> = {
  local: [
    { when: 'it was just started', happened: () => true },
    { when: 'it has chosen a runtime', happened: (_, up) => up.output !== '' },
    { when: "initdb makes the primary's data", happened: cluster => exists(cluster, 'primary-data/initialising') },
    { when: 'the primary is started', happened: cluster => exists(cluster, 'primary.pid') },
    { when: 'a standby is cloned', happened: cluster => exists(cluster, 'replica1-data/pgdata.cloning') },
    { when: 'a standby is started', happened: cluster => exists(cluster, 'replica1-data/pgdata/postmaster.pid') },
  ],
  // What comes before is the same on both.
  docker: [
    { when: 'the primary has a container', happened: cluster => hasContainer(cluster, 'primary', 'created') },
    { when: 'the primary runs', happened: cluster => hasContainer(cluster, 'primary', 'running') },
    { when: 'the last standby runs', happened: cluster => hasContainer(cluster, 'replica2', 'running') },
  ],
}

describeEachRuntime('an up', anUp, ALSO_ON_DOCKER)

describeEachRuntime('a failover', aFailover)

describeEachRuntime(
  'a pipe that is closed',
  runtime => {
    test('interrupts a command quietly, and the command unwinds', async () => {
      await using cluster = await CliCluster.up(runtime)
      expect(await cluster.piped('status', 'head -1')).toMatchObject({ exitCode: 141, stderr: '' })
      const lesson = await cluster.piped('lesson split-brain', "sed '/Bob is told/q'")
      expect(lesson).toMatchObject({ exitCode: 141, stderr: '' })
      expect(lesson.stdout).toContain('Bob is told by replica1')
      await expectAllStreaming(cluster)
    })
  },
  ['local'],
)

function anUp(runtime: TestRuntime): void {
  const moments = MOMENTS[runtime === 'docker' ? 'docker' : 'local']

  test.each(moments)(
    'interrupted when $when ends with 130, and the next up with a cluster that is well',
    async moment => {
      await using cluster = await CliCluster.describe(runtime)
      const up = cluster.start('up')
      await reaches(cluster, up, moment)
      up.interrupt()
      expect((await up.ended).exitCode, up.output).toBe(130)
      await expectUp(cluster)
    },
  )

  test('killed in its middle is made good by the next up, and down leaves nothing', async () => {
    await using cluster = await CliCluster.describe(runtime)
    const up = cluster.start('up')
    await reaches(cluster, up, moments.at(-2)!)
    up.kill()
    expect((await up.ended).exitCode).toBe(137)
    await expectUp(cluster)
    expect((await cluster.run('down')).exitCode).toBe(0)
    expect(await leftOf(cluster)).toEqual([])
  })

  if (runtime === 'docker') return
  describe('killed', () => {
    test.each(moments.slice(2))('when $when leaves nothing behind after down', async moment => {
      await using cluster = await CliCluster.describe(runtime)
      const up = cluster.start('up')
      await reaches(cluster, up, moment)
      up.kill()
      await up.ended
      expect((await cluster.run('down')).exitCode).toBe(0)
      expect(await leftOf(cluster)).toEqual([])
    })
  })
}

function aFailover(runtime: TestRuntime): void {
  test(
    'interrupted at any step ends with 130, and the next up with a cluster that is well',
    async () => {
      await using cluster = await CliCluster.up(runtime)
      const steps = [
        'A client writes all the while',
        'The primary goes',
        'A standby is promoted',
        'pg_promote',
        'The others follow',
        'comes back',
      ]
      for (const step of steps) await interruptFailover(cluster, step)
    },
    MANY_TIMEOUT_MS,
  )

  test(
    'killed after the primary went is made good by the next up',
    async () => {
      await using cluster = await CliCluster.up(runtime)
      for (const step of ['A standby is promoted', 'comes back']) await killFailover(cluster, step)
    },
    MANY_TIMEOUT_MS,
  )
}

async function interruptFailover(cluster: CliCluster, step: string): Promise<void> {
  const failover = cluster.start('failover')
  await failover.shows(step)
  failover.interrupt()
  const { exitCode, stderr } = await failover.ended
  expect(exitCode, `interrupted at "${step}": ${failover.output}`).toBe(130)
  expect(stderr).not.toContain('bug:')
  await expectUp(cluster)
}

async function killFailover(cluster: CliCluster, step: string): Promise<void> {
  const failover = cluster.start('failover')
  await failover.shows(step)
  failover.kill()
  expect((await failover.ended).exitCode).toBe(137)
  await expectUp(cluster)
}

async function expectUp(cluster: CliCluster): Promise<void> {
  const { exitCode, stdout, stderr } = await cluster.run('up')
  expect({ exitCode, stderr }, stdout).toEqual({ exitCode: 0, stderr: '' })
  await expectAllStreaming(cluster)
}

async function reaches(cluster: CliCluster, up: Invocation, { when, happened }: Moment): Promise<void> {
  const observe = async (): Promise<ReturnType<typeof met<undefined>> | ReturnType<typeof notMet>> => {
    if (await happened(cluster, up)) return met(undefined)
    expect(up.hasEnded, `up ended before ${when}: ${up.output}`).toBe(false)
    return notMet(up.output)
  }
  await waitUntil({ what: `the moment when ${when}`, observe }, { timeoutMs: TIMEOUT_MS, intervalMs: 1 })
}

const placeOf = ({ project }: CliCluster): string => join(TEST_STATE_DIR, project)
const exists = (cluster: CliCluster, path: string): boolean => existsSync(join(placeOf(cluster), path))

async function hasContainer({ project }: CliCluster, node: string, state: string): Promise<boolean> {
  const { stdout } = await run(['docker', 'inspect', '--format', '{{.State.Status}}', `${project}_${node}`], {
    environment: process.env,
  })
  return stdout.trim() === state || (state === 'created' && stdout.trim() === 'running')
}

/** What there is of it on this machine. */
async function leftOf(cluster: CliCluster): Promise<string[]> {
  const inEngine: Readonly<Record<TestRuntime, readonly string[]>> = {
    docker: ['ps --all', 'volume ls', 'network ls'],
    local: [],
    npm: [],
  }
  const environment = process.env
  const lists = await Promise.all([
    run(['ps', '-A', '-o', 'args='], { environment }),
    ...inEngine[cluster.runtime].map(list => run(['docker', ...list.split(' ')], { environment })),
  ])
  const lines = lists.flatMap(({ stdout }) => stdout.split('\n')).filter(line => line.includes(cluster.project))
  return existsSync(placeOf(cluster)) ? [...lines, placeOf(cluster)] : lines
}
