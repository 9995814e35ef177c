/**
 * Settings of a running server, changed with ALTER SYSTEM: they outlive a restart, and go with a clone or a rewind.
 */
import { isLabError, LabError } from '../errors.ts'
import type { Session } from '../postgres/connection.ts'
import { literal } from '../postgres/sql.ts'
import { lastLines } from '../runtime/command.ts'
import { met, notMet, waitUntil, type Condition } from '../wait.ts'
import type { Cluster } from './cluster.ts'

/** Setting → value; null resets it. */
export type Settings = Readonly<Record<string, string | null>>

/**
 * A setting of our own, as every name with a dot is one: see temporary-settings.ts.
 * https://www.postgresql.org/docs/current/runtime-config-custom.html
 */
export const FORMER = 'lab.former'

export interface ChangeOptions {
  /** Limit in milliseconds until the server has taken them over. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/**
 * Changes settings that need no restart, and returns when the server has taken them over.
 * @throws LabError UNREACHABLE, TIMEOUT
 * @example
 * ```ts
 * await changeSettings(cluster, 'primary', { settings: { work_mem: '8MB' }, timeoutMs: 10_000 })
 * ```
 */
export async function changeSettings(
  cluster: Cluster,
  node: string,
  { settings, timeoutMs, signal }: ChangeOptions & { readonly settings: Settings },
): Promise<void> {
  await using session = await cluster.connect(node, { as: 'superuser', signal })
  // Before PostgreSQL 17 ALTER SYSTEM knows a setting of our own only where the session has set it.
  if (FORMER in settings) await session.query(`SET ${FORMER} TO ''`)
  for (const [name, value] of Object.entries(settings)) {
    const statement = value === null ? `ALTER SYSTEM RESET ${name}` : `ALTER SYSTEM SET ${name} TO ${literal(value)}`
    if (name !== FORMER) cluster.emit({ kind: 'sql', node, text: statement })
    await session.query(statement)
  }
  if (FORMER in settings) await session.query(`RESET ${FORMER}`)
  const limits = { timeoutMs, intervalMs: 2, signal }
  const [before] = await session.query<Loaded>(LOADED)
  await session.query('SELECT pg_reload_conf()')
  await waitUntil(hasLoaded(session, { node, before: before?.at }), limits)
  for (const [name, value] of Object.entries(settings)) {
    if (value !== null) await waitUntil(hasSetting(session, { node, name, value }), limits)
  }
}

/**
 * The same, to put back what was changed: the file of a node that does not answer is edited instead, so that it does not
 * come back with settings of yesterday.
 * @throws LabError TIMEOUT, NODE_FAILED
 */
export async function restoreSettings(
  cluster: Cluster,
  node: string,
  { settings, timeoutMs }: { readonly settings: Settings; readonly timeoutMs: number },
): Promise<void> {
  try {
    await changeSettings(cluster, node, { settings, timeoutMs })
  } catch (error) {
    if (!isLabError(error, 'UNREACHABLE')) throw error
    const lines = Object.entries(settings).flatMap(([name, value]) => [
      name,
      value === null ? '' : literal(value.replaceAll('\\', '\\\\')),
    ])
    const { exitCode, stderr } = await cluster.runtime.runOffline(node, ['bash', '-c', EDIT, 'edit', ...lines])
    if (exitCode === 0) return
    throw new LabError('NODE_FAILED', `the settings of ${node} could not be put back: ${lastLines(stderr, 1)}`, {
      hint: `pnpm run down, then pnpm run up, makes the cluster anew.`,
      cause: error,
    })
  }
}

/** A node that stood still could not be told that its file was changed: it reads it now, if it answers. */
export async function reloadAfterThaw(cluster: Cluster, node: string, signal?: AbortSignal): Promise<void> {
  try {
    await using session = await cluster.connect(node, { as: 'superuser', signal })
    await session.query('SELECT pg_reload_conf()')
  } catch (error) {
    if (!isLabError(error, 'UNREACHABLE') && !isLabError(error, 'CONNECTION_LOST')) throw error
  }
}

/** ALTER SYSTEM by hand. https://www.postgresql.org/docs/current/config-setting.html#CONFIG-SETTING-CONFIGURATION-FILE */
const EDIT = `
file=$PGDATA/postgresql.auto.conf
[ -f "$file" ] || exit 0
for (( ; $#; )); do
  { grep -v "^$1 = " "$file" || [ $? = 1 ]; } >"$file.new"
  [ -z "$2" ] || printf '%s = %s\n' "$1" "$2" >>"$file.new"
  mv "$file.new" "$file"
  shift 2
done`

interface Loaded {
  readonly at: string
}

/** Of this session; a session that begins later has them, too, because the postmaster is the first to load them. */
const LOADED = 'SELECT pg_conf_load_time()::text AS at'

const hasLoaded = (
  session: Session,
  { node, before }: { readonly node: string; readonly before: string | undefined },
): Condition<undefined> => ({
  what: `${node} to load its configuration`,
  observe: async () => {
    const [now] = await session.query<Loaded>(LOADED)
    return now?.at === before ? notMet('it has not yet') : met(undefined)
  },
})

const hasSetting = (
  session: Session,
  { node, name, value }: { readonly node: string; readonly name: string; readonly value: string },
): Condition<undefined> => ({
  what: `${node} to take over ${name}`,
  observe: async () => {
    const seen = await readSetting(session, name)
    return seen === value || (await isOnCommandLine(session, name)) ? met(undefined) : notMet(`${name} is ${seen}`)
  },
})

/** Then it is taken over at the next start: a former primary that has started read-only was told so to follow nobody. */
async function isOnCommandLine(session: Session, name: string): Promise<boolean> {
  const sql = "SELECT FROM pg_settings WHERE name = $1 AND source = 'command line'"
  return (await session.query(sql, [name])).length > 0
}

/** What the session sees of a setting; some only a superuser may read. */
export async function readSetting(session: Session, name: string): Promise<string> {
  const [row] = await session.query<{ value: string }>('SELECT current_setting($1) AS value', [name])
  return row?.value ?? ''
}
