/**
 * The soak of a cluster that Patroni manages: it adopts one, plays its rounds, and gives it back, also when it is interrupted in the
 * middle of one.
 */
import { expect, inject, test } from 'vitest'
import { openLab } from '../../src/index.ts'
import type { StackChaosDocument } from '../../src/report/stack-chaos.ts'
import { SOAK_TIMERS, stackPlan } from '../../src/stack/chaos/plan.ts'
import { met, notMet, waitUntil } from '../../src/wait.ts'
import { CliCluster, expectAllStreaming, expectRefusal, Invocation } from '../support/cli.ts'
import { describeEachRuntime, TIMEOUT_MS } from '../support/runtimes.ts'
import { stackEnvironment } from '../support/stack-environment.ts'

/** A switchover, HAProxy away for a moment, and then a primary that stands still. */
const SEED = 47594

/** About a minute; more on a machine that is busy. */
const SOAK_MS = 240_000

/** The timers of a soak from the beginning: or it would wait until every member has taken them over. */
const { ttl, loop_wait: loopWait, retry_timeout: retryTimeout } = SOAK_TIMERS.patroni
const TIMERS = {
  PATRONI_TTL: String(ttl),
  PATRONI_LOOP_WAIT: String(loopWait),
  PATRONI_RETRY_TIMEOUT: String(retryTimeout),
}

describeEachRuntime(
  'chaos with the stack',
  () => {
    test(
      'adopts a cluster, holds for some rounds, and gives it back when it is interrupted',
      { timeout: 300_000 },
      async () => {
        await using cli = await CliCluster.up('docker', { ...(await stackEnvironment()), ...TIMERS })
        const soak = new Invocation(
          ['chaos', '--stack', 'patroni', '--seed', String(SEED), '--minutes', '10', '--json'],
          cli.environment,
          SOAK_MS,
        )
        await soak.shows('   2  held', SOAK_MS)
        await frozen(cli)
        const { rounds, ...document } = (await soak.interrupted()) as StackChaosDocument
        expect(document).toMatchObject({ version: 1, stack: 'patroni', seed: SEED, minutes: 10, verdict: 'held' })
        expect(rounds.map(({ plan }) => plan)).toEqual([1, 2, 3].map(round => stackPlan(SEED, round)))
        expect(rounds.flatMap(({ problems }) => problems)).toEqual([])
        expect(rounds.map(({ action, verdict, lost }) => ({ action, verdict, lost }))).toEqual([
          { action: 'switchover', verdict: 'held', lost: 0 },
          { action: 'haproxy', verdict: 'held', lost: 0 },
          { action: 'freeze', verdict: 'interrupted', lost: 0 },
        ])
        expect(rounds.map(({ promotions }) => promotions)).toEqual([1, 0, 0])
        for (const { way, acknowledged } of rounds.flatMap(({ ways }) => ways))
          expect(acknowledged, way).toBeGreaterThan(20)
        await expectAllStreaming(cli)
        expectRefusal(await cli.run('stack', 'down', 'patroni'), { exitCode: 1, fact: 'Patroni manages no node' })
      },
    )

    test('is refused with what is of the lab alone', async () => {
      const cli = await CliCluster.describe('docker')
      expectRefusal(await cli.run('chaos', '--stack', 'patroni', '--sync', 'quorum'), {
        exitCode: 2,
        fact: '--sync is of the lab',
        hint: 'Leave out --sync',
      })
      expectRefusal(await cli.run('chaos', '--stack', 'repmgr'), { exitCode: 2, fact: '--stack is "repmgr"' })
    })
  },
  ['docker'],
)

test('chaos with the stack is refused without Docker', async () => {
  if (inject('missing').local !== undefined) return
  const cli = await CliCluster.describe('local')
  expectRefusal(await cli.run('chaos', '--stack', 'patroni', '--rounds', '1'), {
    exitCode: 1,
    fact: 'the stack of Patroni needs Docker',
    hint: 'LAB_RUNTIME=docker',
  })
})

async function frozen(cli: CliCluster): Promise<void> {
  await using lab = await openLab({ environment: cli.environment })
  const { runtime, cluster } = lab
  await waitUntil(
    {
      what: 'a node to stand still',
      observe: async () => {
        const states = await Promise.all(cluster.nodes.map(({ name }) => runtime.state(name)))
        return states.includes('frozen') ? met(undefined) : notMet(states.join(', '))
      },
    },
    { timeoutMs: TIMEOUT_MS },
  )
}
