import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Cluster } from '../cluster/cluster.ts'
import { messageOf } from '../errors.ts'
import type { FailedRound } from '../experiments/chaos/soak.ts'
import { historyLines } from '../history/lines.ts'
import type { ChaosDocument } from '../report/chaos.ts'
import { toJson } from '../report/json.ts'

/** Lines of each server's log that are kept. */
const LOG_LINES = 5_000

/** Writes what a failed round has left into a folder: its plan and evidence, the histories, the servers' logs. */
export async function keepFailure(
  cluster: Cluster,
  folder: string,
  { document, failed }: { readonly document: ChaosDocument; readonly failed: FailedRound },
): Promise<void> {
  await mkdir(folder, { recursive: true })
  const { round, record, histories, evidence, error } = failed
  await writeFile(join(folder, 'soak.json'), `${toJson(document)}\n`)
  await writeFile(join(folder, 'failed-round.json'), `${toJson({ round, record, evidence, error })}\n`)
  const lines = Object.values(histories).flatMap(history => [...historyLines(history)])
  await writeFile(join(folder, 'history.jsonl'), lines.map(line => `${line}\n`).join(''))
  for (const { name } of cluster.nodes) {
    const log = await cluster.runtime
      .log(name, { lines: LOG_LINES })
      .catch((why: unknown) => `no log: ${messageOf(why)}`)
    await writeFile(join(folder, `${name}.log`), `${log}\n`)
  }
}
