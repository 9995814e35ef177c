/**
 * The same events on the lab's own cluster: its procedures are begun at once, as by somebody who waits for it.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { NamedServers } from '../client/named-servers.ts'
import { isolate } from '../faults/network.ts'
import { crash, freeze, shutDown } from '../faults/power.ts'
import { failover } from '../operations/failover/failover.ts'
import { switchover } from '../operations/switchover/switchover.ts'
import { up } from '../operations/up.ts'
import { connectionUrl } from '../postgres/conninfo.ts'
import type { StackEvent } from '../stack/events.ts'
import { compareTrial, type CompareTrial, type Decided } from './document.ts'
import { DEADLINES, trialOf, type RoundOptions } from './trial.ts'

const TIMEOUT_MS = 120_000

/** @throws LabError those of measure, and of the lab's operations */
export async function labRound(
  cluster: Cluster,
  { round, trial, load, onProgress, signal }: RoundOptions,
): Promise<readonly CompareTrial[]> {
  const { event, setting } = round
  onProgress('bringing every node back')
  const primary = await up(cluster, { timeoutMs: TIMEOUT_MS, signal })
  const { lab, database } = cluster.topology
  const nodes = cluster.nodes.map(({ name }) => connectionUrl({ ...cluster.clientEndpoint(name), ...lab, database }))
  const servers = new NamedServers({ nodes, connectTimeoutMs: DEADLINES.connectTimeoutMs })
  let decided: Decided | undefined
  const [measured] = await trialOf([{ name: 'lab', servers, way: undefined, ...DEADLINES }], {
    ...{ load, onProgress, signal, text: event, doAfterMs: 1_000 },
    settle: { kind: 'writable', limitMs: TIMEOUT_MS },
    act: async ended => {
      decided = await act(cluster, { event, primary: primary.name, signal: ended })
    },
  })
  if (measured === undefined) throw new Error('one client has measured')
  return [compareTrial({ way: 'lab', event, setting, trial }, measured, { decided, predicted: undefined })]
}

interface ActOptions {
  readonly event: StackEvent
  readonly primary: string
  readonly signal: AbortSignal
}

/** @returns when the procedure saw that the primary is gone, and when it was fenced; undefined where nothing is decided */
async function act(cluster: Cluster, { event, primary, signal }: ActOptions): Promise<Decided | undefined> {
  const limits = { timeoutMs: TIMEOUT_MS, signal }
  const takeOver = async (): Promise<Decided> => {
    const { detectedAt: freeAt, fencedAt: takenAt } = await failover(cluster, primary, limits)
    return { freeAt, takenAt }
  }
  switch (event) {
    case 'killed':
      await crash(cluster, primary)
      return await takeOver()
    case 'stop':
      await shutDown(cluster, primary, signal)
      return await takeOver()
    case 'freeze': {
      await using _frozen = await freeze(cluster, primary)
      await crash(cluster, primary) // what stands still may wake up, so it is killed first
      return await takeOver()
    }
    case 'isolated': {
      await using _isolated = await isolate(cluster, primary, limits)
      // Clients reach it, so it is killed first: nobody is promoted beside a primary that serves.
      await crash(cluster, primary)
      return await takeOver()
    }
    case 'postmaster':
      // Its node ends with it, and is started again: no failover.
      await crash(cluster, primary)
      cluster.emit({ kind: 'command', node: primary, text: await cluster.runtime.start(primary, { signal }) })
      return undefined
    case 'switchover': {
      const { detectedAt: freeAt, fencedAt: takenAt } = await switchover(cluster, limits)
      return { freeAt, takenAt }
    }
    case 'etcd':
    case 'spike':
      throw new Error(`${event} is not of the lab`)
  }
}
