/**
 * `rejoin`: a node that cannot follow becomes a standby again, and what only it has is shown and kept before that.
 */
import type { Cluster } from '../cluster/cluster.ts'
import type { NodeStatus, PrimaryStatus } from '../cluster/node-status.ts'
import { primaryOf } from '../cluster/node-status.ts'
import { isHeldBack, senderOf } from '../cluster/conditions.ts'
import { rejoin, requireOther, standDown } from '../operations/rejoin.ts'
import { readPastFork } from '../operations/salvage/past-fork.ts'
import { requireNew, salvage } from '../operations/salvage/salvage.ts'
import { fileOption, flagOption } from '../options/options.ts'
import { isLabError, LabError, throwIfInterrupted } from '../errors.ts'
import { narratePastFork, narrateRejoined, narrateSalvage, type RejoinDocument } from '../report/rejoin.ts'
import { command, type CommandContext } from './command.ts'
import { UP_TIMEOUT_MS } from './commands.ts'

/** Its server replays its WAL since the last checkpoint, and all rows of the table are read. */
export const SALVAGE_TIMEOUT_MS = 600_000

const options = {
  salvage: fileOption(
    '--salvage <file>',
    'first write the rows of lab.writes that only this node has into a file, as SQL',
  ),
  keep: flagOption('--no-keep', 'do not keep what only this node has: faster, and it is gone'),
}

export const rejoinCommand = command({
  usage: 'rejoin [node]',
  examples: ['rejoin', 'rejoin primary'],
  summary: 'make a node a standby of the primary again: the one named, or the only one that does not stream',
  options,
  run: async context => {
    const { openLab, words, narrate, options, interrupt } = context
    const { signal } = interrupt
    if (options.salvage !== undefined) requireNew(options.salvage)
    const { cluster } = await openLab()
    const named = words[0] === undefined ? undefined : cluster.node(words[0]).name
    const all = await cluster.status(signal)
    // A node that accepts writes beside the primary is stopped only if it is named.
    const primary = named === undefined ? primaryOf(all) : newestPrimary(all)
    if (named !== undefined) requireOther(named, primary)
    const node = await nodeToRejoin(cluster, { all, primary, named })
    if (node === undefined) {
      const why = named === undefined ? 'every standby streams already' : 'it streams already'
      narrate.say(`${named === undefined ? '' : `${named} is left alone: `}${why}`)
      return document({ node: named ?? null, by: null, why })
    }
    return await bringBack(cluster, node, context)
  },
})

const document = (known: Pick<RejoinDocument, 'node' | 'by' | 'why'> & Partial<RejoinDocument>): RejoinDocument => ({
  version: 1,
  pastFork: null,
  salvaged: null,
  kept: null,
  ...known,
})

/** Beside another, a primary on an older timeline is one that was replaced: it can be rejoined. @throws as primaryOf */
function newestPrimary(all: readonly NodeStatus[]): PrimaryStatus {
  const [first, second] = all.filter(status => status.role === 'primary').sort((a, b) => b.timeline - a.timeline)
  const isClear = first !== undefined && second !== undefined && first.timeline > second.timeline
  return isClear ? first : primaryOf(all)
}

/** A standby that cascades streams, too, and one that only waits for its delay is as well as it can be. */
async function nodeToRejoin(
  cluster: Cluster,
  { all, primary, named }: { all: readonly NodeStatus[]; primary: PrimaryStatus; named: string | undefined },
): Promise<string | undefined> {
  const lost: string[] = []
  for (const status of all) {
    if (status.name === primary.name) continue
    if (status.role !== 'standby') lost.push(status.name)
    else if (senderOf(status, all) === undefined && !(await isHeldBack(cluster, status))) lost.push(status.name)
  }
  const [first, ...more] = lost
  if (named !== undefined) return [first, ...more].includes(named) ? named : undefined
  if (first === undefined || more.length === 0) return first
  throw new LabError('USAGE', `${more.length + 1} nodes do not stream: ${[first, ...more].join(', ')}`, {
    hint: `Name one: pnpm run rejoin ${first}`,
  })
}

async function bringBack(
  cluster: Cluster,
  node: string,
  context: CommandContext<typeof options>,
): Promise<RejoinDocument> {
  const {
    narrate,
    terminal,
    interrupt,
    options: { salvage: file, keep },
  } = context
  const { signal } = interrupt
  const limits = { timeoutMs: SALVAGE_TIMEOUT_MS, signal }
  narrate.step(`What only ${node} has`, 'Before anything is erased: no other node received it.')
  await standDown(cluster, node, signal)
  const pastFork = await readPastFork(cluster, node, limits).catch((error: unknown) => {
    if (file !== undefined || !isLabError(error, 'SALVAGE_FAILED')) throw error
    narrate.say(error.message)
    return undefined
  })
  if (pastFork !== undefined) narratePastFork(narrate, node, pastFork)
  if (file !== undefined) terminal.busy(`reading the rows that only ${node} has`)
  const salvaged = file === undefined || !pastFork ? null : await salvage(cluster, pastFork, { file, ...limits })
  if (salvaged !== null) narrateSalvage(narrate, salvaged)
  throwIfInterrupted(signal)
  narrate.step(`${node} becomes a standby`)
  const rejoined = await rejoin(cluster, node, { timeoutMs: UP_TIMEOUT_MS, keep, signal })
  narrateRejoined(narrate, rejoined)
  return document({ ...rejoined, pastFork: pastFork ?? null, salvaged })
}
