/**
 * Disk full, for real: a file takes what is left, and the kernel answers ENOSPC to everything the node writes.
 * Nothing but a filesystem of the node's own can be full for that node alone. Limits on a process would not do (RLIMIT_FSIZE
 * answers EFBIG, which PostgreSQL takes for something else), and quotas are root's.
 */
import { statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { isLabError, LabError } from '../errors.ts'
import { lastLines } from '../runtime/command.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { once } from '../dispose.ts'

export interface FillDiskOptions {
  readonly signal?: AbortSignal | undefined
}

/** A larger one takes longer to fill than anybody wants to wait. */
const MOST_BYTES = 8 * 1024 ** 3

/**
 * Fills the filesystem that holds a node's data; disposing of what it returns makes the room again. A standby without room
 * for WAL stays up and receives nothing. A server that lacks the room at a worse moment ends itself (a primary that cannot
 * write WAL does): up brings it back when there is room.
 * @throws LabError UNSUPPORTED_FAULT unless the node has a small filesystem of its own; NODE_FAILED
 * @example
 * ```ts
 * await using _full = await fillDisk(cluster, 'replica1')
 * ```
 */
export async function fillDisk(
  cluster: Cluster,
  node: string,
  { signal }: FillDiskOptions = {},
): Promise<AsyncDisposable> {
  const { name } = cluster.node(node)
  await requireOwnFilesystem(cluster, name, signal)
  const makeRoom = once(async () => {
    await runBeside(cluster, name, { script: 'rm -f "$ballast"' })
  })
  try {
    cluster.emit({ kind: 'command', node: name, text: 'dd if=/dev/zero of=$PGDATA/../ballast' })
    await runBeside(cluster, name, { script: FILL, signal })
  } catch (error) {
    await makeRoom[Symbol.asyncDispose]()
    throw error
  }
  return makeRoom
}

// By megabytes, then by pages what is left of the last; dd fails with "No space left on device", as it should.
const FILL = `
LC_ALL=C dd if=/dev/zero of="$ballast" bs=1M 2>&1 | grep -q 'No space left on device' || exit 1
dd if=/dev/zero of="$ballast" bs=4k oflag=append conv=notrunc 2>/dev/null || true`

/** Of the data: `<device> <total bytes>`. A device's number is the same in every container of a machine. */
const READ_FILESYSTEM = `echo "$(stat -c %d "$PGDATA") $(($(stat -f -c '%b * %S' "$PGDATA")))"`

async function requireOwnFilesystem(cluster: Cluster, node: string, signal: AbortSignal | undefined): Promise<void> {
  const filesystems = await Promise.all(
    cluster.nodes.map(async ({ name }) => ({ name, ...(await readFilesystem(cluster, name, signal)) })),
  ).catch((error: unknown) => {
    if (!isLabError(error, 'NODE_FAILED')) throw error
    throw new LabError('UNSUPPORTED_FAULT', `it cannot be told on which filesystem the data of ${node} is`, {
      hint: 'That takes the stat of GNU coreutils, as Linux has it.',
      cause: error,
    })
  })
  const own = filesystems.find(({ name }) => name === node)
  const sharers = filesystems.filter(({ name, device }) => name !== node && device === own?.device)
  const machine = ['/', tmpdir()].filter(path => statSync(path).dev === own?.device)
  const shared = [...sharers.map(({ name }) => `the data of ${name}`), ...machine]
  if (shared.length === 0 && (own?.bytes ?? 0) <= MOST_BYTES) return
  const fact =
    shared.length > 0 ? `it is also that of ${shared.join(', ')}` : `it has more than ${MOST_BYTES / 1024 ** 3} GB`
  throw new LabError('UNSUPPORTED_FAULT', `the filesystem of ${node} cannot be filled for it alone: ${fact}`, {
    hint: HINTS[cluster.runtime.name],
  })
}

const HINTS: Readonly<Record<Cluster['runtime']['name'], string>> = {
  docker:
    'Give its volume a filesystem of its own in docker-compose.yml, which lasts as long as its container runs: driver_opts: { type: tmpfs, device: tmpfs, o: size=512m }.',
  local:
    'As root, stop the node and mount a filesystem on the folder of its volume (mount -t tmpfs -o size=512m), then start it: it is cloned anew.',
}

async function readFilesystem(
  cluster: Cluster,
  node: string,
  signal: AbortSignal | undefined,
): Promise<{ readonly device: number; readonly bytes: number }> {
  const [device, bytes] = (await runBeside(cluster, node, { script: READ_FILESYSTEM, signal })).trim().split(' ')
  return { device: Number(device), bytes: Number(bytes) }
}

/** Next to the server, which goes on running. */
async function runBeside(
  cluster: Cluster,
  node: string,
  { script, signal }: { readonly script: string; readonly signal?: AbortSignal | undefined },
): Promise<string> {
  const line = `ballast=$(dirname "$PGDATA")/ballast\n${script}`
  const { exitCode, stdout, stderr } = await cluster.runtime.runOffline(node, ['bash', '-c', line], { signal })
  if (exitCode === 0) return stdout
  throw new LabError('NODE_FAILED', `the disk of ${node} could not be looked at: ${lastLines(stderr || stdout, 1)}`, {
    hint: `Try it by hand: df on the folder of its data.`,
  })
}
