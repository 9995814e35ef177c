/**
 * The history of a node that is down, from its files.
 */
import { LabError } from '../../errors.ts'
import { parseControlFile } from '../../postgres/control-file.ts'
import { historyOnDisk } from '../../postgres/history-on-disk.ts'
import type { NodeHistory } from '../../postgres/node-history.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { runSalvageScript, type ScriptOptions } from './script.ts'

/**
 * As far as its files tell it: see {@link historyOnDisk}. The node must be stopped.
 * @throws LabError SALVAGE_FAILED when it runs, or a rejoin was interrupted half way; TIMEOUT
 */
export async function readHistoryOnDisk(cluster: Cluster, node: string, options: ScriptOptions): Promise<NodeHistory> {
  const seen = await runSalvageScript(cluster, node, { args: ['look'], ...options })
  if (seen.trim() === 'half-rewound') {
    throw new LabError('SALVAGE_FAILED', `a rejoin of ${node} was interrupted, and its data is no whole any more`, {
      hint: `pnpm run up clones it anew; what it had is kept, unless that was not wanted: pnpm run salvage ${node}`,
    })
  }
  const lines = seen.split('\n').map(line => line.split(' '))
  const of = (kind: string): string[][] => lines.filter(([word]) => word === kind).map(([, ...words]) => words)
  return historyOnDisk({
    control: parseControlFile(Buffer.from(of('control')[0]?.[0] ?? '', 'base64')),
    historyFiles: new Map(
      of('history').map(([timeline, text = '']) => [Number(timeline), Buffer.from(text, 'base64').toString()]),
    ),
    walFiles: of('wal').map(([name = '']) => name),
  })
}
