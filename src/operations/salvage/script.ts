/**
 * replica-entrypoint/salvage.sh, run beside a stopped node. Interrupted or out of time, it has ended its server before the
 * error is thrown: two servers on the same data would destroy it.
 */
import { LabError, throwIfInterrupted } from '../../errors.ts'
import { lastLines } from '../../runtime/command.ts'
import type { CommandResult, ForegroundCommand } from '../../runtime/runtime.ts'
import type { Cluster } from '../../cluster/cluster.ts'

export interface ScriptOptions {
  /** Limit in milliseconds. */
  readonly timeoutMs: number
  /** On what the node keeps, instead of its data: the node may run then. @default false */
  readonly onKept?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** An exit code of salvage.sh. */
const NO_PSQL = 3

/** The bytes of a piece, before base64; salvage.sh has the same number. */
export const PIECE_BYTES = 2 * 1024 * 1024

/**
 * Runs `salvage.sh ARGS` and returns what it printed.
 * @throws LabError SALVAGE_FAILED with its last words, or when the node runs; TIMEOUT, INTERRUPTED
 */
export async function runSalvageScript(
  cluster: Cluster,
  node: string,
  { args, ...options }: ScriptOptions & { readonly args: readonly [string, ...string[]] },
): Promise<string> {
  throwIfInterrupted(options.signal)
  if (options.onKept !== true) await requireStopped(cluster, node)
  const { exitCode, stdout, stderr } = await runWithin(cluster, node, { args, ...options })
  if (exitCode === 0) return stdout
  if (exitCode === NO_PSQL) throw noPsql(node)
  throw new LabError('SALVAGE_FAILED', `what only ${node} has could not be read: ${lastLines(stderr, 3)}`, {
    hint: `Nothing was changed. pnpm run rejoin ${node} without --salvage brings it back, and keeps what only it has.`,
  })
}

/**
 * A command line that opens psql on what the node keeps, or on its data while it is stopped: in a server apart, read-only, which
 * ends with it.
 * @throws LabError SALVAGE_FAILED when the node runs, or there is no psql
 * @example
 * ```ts
 * const { past, from } = await compareWithPrimary(cluster, 'primary', { timeoutMs: 300_000 })
 * const what = { timeline: past.timeline, onKept: from === 'kept', terminal: true }
 * const { argv, environment } = await salvagePsql(cluster, 'primary', what)
 * ```
 */
export async function salvagePsql(
  cluster: Cluster,
  node: string,
  { timeline, onKept, terminal }: { readonly timeline: number; readonly onKept: boolean; readonly terminal: boolean },
): Promise<ForegroundCommand> {
  if (!onKept) await requireStopped(cluster, node)
  if ((await cluster.runtime.psql(node, [], { terminal })) === undefined) throw noPsql(node)
  const args = ['psql', String(timeline), ...cluster.node(node).settings]
  return await cluster.runtime.offlineCommand(node, scriptCommand(args, onKept), { terminal })
}

async function requireStopped(cluster: Cluster, node: string): Promise<void> {
  const state = await cluster.runtime.state(node)
  if (state !== 'running' && state !== 'frozen') return
  throw new LabError('SALVAGE_FAILED', `${node} is ${state}, and its data is read only while it is stopped`, {
    hint: `pnpm run rejoin ${node} stops it first.`,
  })
}

const noPsql = (node: string): LabError =>
  new LabError('SALVAGE_FAILED', `what only ${node} has cannot be read: there is no psql on this machine`, {
    hint: `Install it (Debian: apt-get install postgresql-client; macOS: brew install libpq). pnpm run rejoin ${node} without --salvage needs none, and keeps it.`,
  })

async function runWithin(
  cluster: Cluster,
  node: string,
  { args, timeoutMs, onKept, signal }: ScriptOptions & { readonly args: readonly [string, ...string[]] },
): Promise<CommandResult> {
  const limit = AbortSignal.timeout(Math.ceil(timeoutMs))
  const either = signal === undefined ? limit : AbortSignal.any([signal, limit])
  try {
    const result = await cluster.runtime.runOffline(node, scriptCommand(args, onKept), { signal: either })
    if (!either.aborted) return result
  } catch (error) {
    if (!either.aborted) throw error
  }
  await endSalvageScript(cluster, node, onKept)
  throwIfInterrupted(signal)
  throw new LabError('TIMEOUT', `what only ${node} has was not read within ${Math.ceil(timeoutMs)} ms`, {
    hint: 'Nothing was changed. Try again with more time.',
  })
}

/** Waits until an interrupted run is over, and removes what it left. */
export async function endSalvageScript(cluster: Cluster, node: string, onKept = false): Promise<void> {
  await cluster.runtime.runOffline(node, scriptCommand(['end'], onKept))
}

const scriptCommand = (args: readonly string[], onKept = false): [string, ...string[]] => [
  'bash',
  '-c',
  `${onKept ? 'export PGDATA="${PGDATA%/*}/kept/data"; ' : ''}exec bash "$SCRIPTS/salvage.sh" "$@"`,
  'salvage',
  ...args,
]
