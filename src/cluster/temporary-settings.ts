/**
 * Settings changed for a while. What they were is on the server's disk first, beside them in postgresql.auto.conf: whoever comes
 * after a command that was killed can put them back. It goes with them into a clone or a rewind.
 */
import { randomUUID } from 'node:crypto'
import { undoable } from '../dispose.ts'
import { isLabError } from '../errors.ts'
import { together } from '../together.ts'
import type { Cluster } from './cluster.ts'
import { FORMER, restoreSettings, type ChangeOptions, type Settings } from './settings.ts'

/**
 * As `changeSettings`, until it is disposed of: then they are what ALTER SYSTEM had made of them before, also after Ctrl-C, and
 * after a SIGKILL with the next `up`.
 * @throws LabError UNREACHABLE, TIMEOUT
 * @example
 * ```ts
 * const settings = { max_standby_streaming_delay: '0' }
 * await using _changed = await temporarySettings(cluster, 'replica1', { settings, timeoutMs: 10_000 })
 * ```
 */
export async function temporarySettings(
  cluster: Cluster,
  node: string,
  { settings, timeoutMs, signal }: ChangeOptions & { readonly settings: Readonly<Record<string, string>> },
): Promise<AsyncDisposable> {
  await putBackLeft(cluster, { timeoutMs, signal })
  const former = await readOwnSettings(cluster, node, { names: Object.keys(settings), signal })
  const change = (): Promise<void> => restoreSettings(cluster, node, { settings, timeoutMs })
  return await changedForAWhile(cluster, [node], { former, change, timeoutMs })
}

interface ForAWhile {
  /** What each node is to have afterwards. */
  readonly former: Settings
  readonly change: () => Promise<unknown>
  readonly timeoutMs: number
}

/**
 * Notes what the settings were on each of the nodes, also where one is down, and changes them, until it is disposed of.
 * What others have left is put back before, or `former` would be of theirs: see {@link putBackLeft}.
 */
export async function changedForAWhile(
  cluster: Cluster,
  nodes: readonly string[],
  { former, change, timeoutMs }: ForAWhile,
): Promise<AsyncDisposable> {
  const by = randomUUID()
  const outer = new Map<string, Note>()
  for (const node of nodes) {
    const note = await readNote(cluster, node)
    if (note !== undefined) outer.set(node, note)
  }
  const write = async (settingsOf: (before: Note | undefined) => Settings): Promise<void> => {
    await together(nodes, node => restoreSettings(cluster, node, { settings: settingsOf(outer.get(node)), timeoutMs }))
  }
  return await undoable(
    async () => {
      inUse.add(by)
      await write(before => noted({ by: before?.by ?? by, settings: { ...former, ...before?.settings } }))
      await change()
    },
    async () => {
      inUse.delete(by)
      await write(before => ({
        ...former,
        ...noted(before !== undefined && inUse.has(before.by) ? before : undefined),
      }))
    },
  )
}

/** Puts back what commands have changed for a while that were killed, on every node that answers, and says so. */
export async function putBackLeft(cluster: Cluster, { timeoutMs, signal }: ChangeOptions): Promise<void> {
  await together(cluster.nodes, async ({ name }) => {
    const left = await readNote(cluster, name, signal)
    if (left === undefined || inUse.has(left.by)) return
    const what = Object.entries(left.settings).map(([setting, value]) => `${setting} is ${value ?? 'reset'}`)
    cluster.emit({ kind: 'remark', text: `${name} had settings of a command that did not end: ${what.join(', ')}` })
    await restoreSettings(cluster, name, { settings: { ...left.settings, ...noted(undefined) }, timeoutMs })
  })
}

/** What is on a server's disk: the settings as they were, and whose change it is. */
interface Note {
  readonly by: string
  readonly settings: Settings
}

/** Changes of this process that last. Those of others have ended: one process at a time changes a cluster. */
const inUse = new Set<string>()

const noted = (note: Note | undefined): Settings => ({ [FORMER]: note === undefined ? null : JSON.stringify(note) })

/** Undefined where there is none, and where nobody answers. */
async function readNote(cluster: Cluster, node: string, signal?: AbortSignal): Promise<Note | undefined> {
  try {
    const rows = await cluster.ask(node, session => session.query<{ note: string | null }>(NOTE), signal)
    return rows[0]?.note ? (JSON.parse(rows[0].note) as Note) : undefined
  } catch (error) {
    if (isLabError(error, 'UNREACHABLE') || isLabError(error, 'NOT_RUNNING')) return undefined
    throw error
  }
}
const NOTE = `SELECT current_setting('${FORMER}', true) AS note`

/** What ALTER SYSTEM has set on the node; null where it has not. */
async function readOwnSettings(
  cluster: Cluster,
  node: string,
  { names, signal }: { readonly names: readonly string[]; readonly signal: AbortSignal | undefined },
): Promise<Settings> {
  await using session = await cluster.connect(node, { as: 'superuser', signal })
  const rows = await session.query<{ name: string; setting: string }>(OWN_SETTINGS, [names])
  const found = new Map(rows.map(({ name, setting }) => [name, setting]))
  return Object.fromEntries(names.map(name => [name, found.get(name) ?? null]))
}
const OWN_SETTINGS = `SELECT name, setting FROM pg_file_settings
WHERE name = ANY ($1) AND sourcefile = current_setting('data_directory') || '/postgresql.auto.conf' ORDER BY sourceline`
