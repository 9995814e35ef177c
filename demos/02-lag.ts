/**
 * Lag, and the metrics that lie.
 * Question: how long until an insert is visible on a standby, and which of the usual figures would have told so?
 * You will see: the time from commit to visible of each insert, and eight watched figures beside the truth.
 * Run: pnpm run lesson lag [--step]; pnpm run lag has the options
 */
import assert from 'node:assert/strict'
import * as lab from '../src/demo/index.ts'

const LIMIT = { timeoutMs: 60_000 }
const INSERTS = 500

export default lab.demo(
  {
    name: 'lag',
    title: 'Lag, and the metrics that lie',
    question: 'How long until an insert is visible on a standby, and which of the usual figures would have told so?',
    learnt:
      'Lag is the time from an acknowledgement on the primary until the row can be read on the standby. Receive minus replay LSN says 0 for a standby that has lost its connection, because all that it received is replayed. Now minus the last replayed commit grows for ever on an idle primary. pg_stat_replication has no row for a standby that is gone. What is right in all three situations is a heartbeat: a row written on the primary with its time, and read on the standby. What the slot holds back tells the bytes of a standby that is gone; of one that streams it knows only what that has last reported.',
    summary: 'measure lag insert by insert, and hold the usual figures against it',
    options: {},
  },
  async ({ cluster, narrate, signal, step }) => {
    await step(`${INSERTS} inserts, each followed to both standbys`, 'One clock for all of it: that of this process.', [
      'pnpm run lag --inserts 1000 --rate 200',
    ])
    const servers = await lab.serversOf(cluster, signal)
    const lag = await lab.runLag(servers, { inserts: INSERTS, lookEveryMs: 1, ...LIMIT, signal })
    const document: lab.LagDocument = { runtime: cluster.runtime.name, ...lag }
    lab.narrateLag(narrate, document)
    for (const { node, neverSeen } of document.standbys) assert.equal(neverSeen, 0, `every insert was seen on ${node}`)

    await step(
      'What a dashboard would have said',
      'Nothing written, much written, and a standby that is cut off while the primary goes on.',
      ['pnpm run lag --liars'],
    )
    const liars = await watchLiars(cluster, narrate, signal)
    lab.narrateLiars(narrate, liars)
    const judged = (situation: string, metric: RegExp): string | undefined =>
      liars.readings.find(reading => reading.situation === situation && metric.test(reading.metric))?.judgement
    assert.equal(judged('disconnected', /receive minus replay/), 'low', 'all that it received is replayed')
    assert.equal(judged('idle', /now minus last replayed/), 'high', 'it grows although nothing is missing')
    for (const situation of lab.situations)
      if (situation !== 'burst')
        assert.equal(judged(situation, /heartbeat/), 'true', `the heartbeat is right when ${situation}`)
    return { version: 1, lag: document, liars }
  },
)

async function watchLiars(
  cluster: lab.Cluster,
  narrate: lab.Narrator,
  signal: AbortSignal,
): Promise<lab.LiarsDocument> {
  using _quiet = narrate.hush()
  return await lab.runLiars(cluster, { situations: lab.situations, ...LIMIT, signal })
}
