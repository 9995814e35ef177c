/**
 * Is failover automatic? Not by PostgreSQL itself; and what it takes where it is.
 * Question: the primary is dead: who makes a standby the primary, when, and how can it know?
 * You will see: seconds in which nobody does; a failover that somebody orders; with Docker, one that Patroni does when a lease has ended.
 * Run: pnpm run lesson automatic [--step]
 */
import assert from 'node:assert/strict'
import * as lab from '../src/demo/index.ts'

const LIMIT = { timeoutMs: 60_000 }
const STACK_LIMIT = { timeoutMs: 600_000 }
const NOBODY_MS = 5_000
const TIMERS = lab.SHORT_LEASE
// https://www.postgresql.org/docs/current/warm-standby-failover.html
const MANUAL = `The manual: "PostgreSQL does not provide the system software required to identify a failure on the primary
and notify the standby database server." (warm-standby-failover.html)`

export default lab.demo(
  {
    name: 'automatic',
    title: 'Is failover automatic?',
    question: 'The primary is dead: who makes a standby the primary, when, and how can it know?',
    learnt:
      'PostgreSQL replicates, and can be promoted; that the primary is dead, and who follows it, somebody else decides: a person, a script, a manager such as Patroni. From outside dead and silent look the same, so a manager has the primary hold a lease: a lock in a third place that ends by itself unless it is renewed. A primary that cannot renew it stops accepting writes, and nobody else begins before it has ended. That is what it costs: the wait for the lease (ttl, of which up to loop_wait is over already) in every crash; a second system, which has to be well for the primary to be one, and so has to be three machines itself; and clients that must find the primary, by a proxy or by asking all nodes. A shorter lease fails over sooner, and also when nothing but the network was slow.',
    summary: 'nobody takes over by itself; what a manager adds, what a lease is, and what it costs',
    options: {},
  },
  async ({ cluster, narrate, signal, step }) => {
    const limits = { ...LIMIT, signal }
    await step('A client writes, and the primary is killed', undefined, ['pnpm run status --watch'])
    await using trial = await lab.startTrial(cluster, { ratePerSecond: 50, signal })
    const old = trial.oldPrimary.name
    await trial.writer.acknowledges(50, LIMIT)
    await trial.inflict('crash', signal)

    await step(`For ${lab.formatMs(NOBODY_MS)} nobody does anything`, 'Both standbys know that it is gone.')
    const waited = await lab.waitUntil(lab.leftAlone(cluster, { forMs: NOBODY_MS }), limits)
    for (const status of waited.filter(({ name }) => name !== old)) narrate.say(lab.describeStatus(status))
    lab.narrateErrors(narrate, trial.writer.snapshot())
    assert.ok(!waited.some(({ role }) => role === 'primary'), 'no standby promotes itself')
    narrate.say(MANUAL)

    await step('Somebody decides', 'Here a script: it sees that the server is gone, fences it, and promotes a standby.')
    const failover = await lab.failover(cluster, old, limits)
    await trial.writer.acknowledges(50, LIMIT)
    const { record } = await trial.finish(failover, signal)
    lab.narrateFailover(narrate, record)
    narrate.say(`from the decision to a new primary: ${lab.formatMs(failover.promotedAt - failover.detectedAt)}`)
    await lab.up(cluster, limits)
    const { outageMs, phases, writes } = record
    const alone = { waitedMs: NOBODY_MS, outageMs, phases, writes, timeline: record.timeline }
    const part = { version: 1, runtime: cluster.runtime.name, alone } as const

    await step(
      'A manager: Patroni adopts the cluster',
      'Its own timers would be ttl 30, loop_wait 10: here they are short.',
    )
    const stackLimits = { ...STACK_LIMIT, signal }
    const managed = await lab.managedForAWhile(cluster, { timers: TIMERS, ...stackLimits }).catch((error: unknown) => {
      if (!lab.isLabError(error) || !LEAVES_IT_OUT.has(error.code)) throw error
      narrate.say(`this part is left out: ${error.message}`)
      return undefined
    })
    if (managed === undefined) {
      lab.narrateStatus(narrate, await cluster.status(signal))
      return { ...part, patroni: null }
    }
    await using _managed = managed
    const { stack } = managed

    await step('The lease', `A key in etcd with a ttl of ${TIMERS.ttl} s, renewed each ${TIMERS.loopWait} s.`, [
      'pnpm run stack status patroni',
    ])
    const tell = ({ atMs, lock }: lab.LeaseLook): void =>
      narrate.say(
        `${lab.formatMs(atMs).padStart(8)}  ${lock === undefined ? 'nobody holds it' : `${lock.holder} holds it, and it ends in ${lock.endsInS} s`}`,
      )
    await lab.lookAtLease(stack, { looks: 6, onLook: tell, signal })

    await step("The primary's node is killed", 'Nobody is told, and nobody decides. A client writes.')
    const run = await lab.leaseRunsOut(cluster, stack, { ...limits, onLook: tell })
    lab.narrateLease(narrate, run, TIMERS)
    assert.notEqual(run.newPrimary, run.oldPrimary)
    assert.notEqual(run.verdict, 'inconsistent', run.why)
    assert.ok(run.takenAfterMs > (TIMERS.ttl - 2 * TIMERS.loopWait) * 1000, 'nobody leads before the lease has ended')

    await step('What it costs: etcd is killed', 'Nothing is wrong with the primary, or with its network.')
    const without = await lab.withoutEtcd(cluster, stack, limits)
    narrate.say(
      `${without.primary} could not renew its lease, and was demoted after ${lab.formatMs(without.demotedAfterMs)}`,
    )
    narrate.say(`etcd is back, and after ${lab.formatMs(without.backAfterMs)} there is a primary again`)

    await step('The cluster is given back')
    await managed[Symbol.asyncDispose]()
    lab.narrateStatus(narrate, await cluster.status(signal))
    return { ...part, patroni: { timers: TIMERS, ...run, etcd: without } }
  },
)

/** Then nothing was changed. */
const LEAVES_IT_OUT: ReadonlySet<string> = new Set(['NO_RUNTIME', 'USAGE', 'IMAGE_UNAVAILABLE', 'NOT_READY'])
