/**
 * Where the tests keep the data of their clusters.
 */
import { existsSync, readFileSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'

const IN_MEMORY = '/dev/shm'
const ENOUGH_BYTES = 4 * 1024 ** 3

/**
 * In memory, where there is room for it: a cluster is four thousand small files, for which a disk that others use takes
 * seconds. A server that is killed loses what it has not written, not what it has not synced, so no test sees a difference.
 */
export function temporaryFolder(): string {
  if (!existsSync(IN_MEMORY) || !existsSync('/proc/mounts')) return tmpdir()
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n')
  const options = mounts.map(line => line.split(' ')).find(([, folder]) => folder === IN_MEMORY)?.[3]
  const { bavail, bsize } = statfsSync(IN_MEMORY)
  // The npm package's programs may have to be copied there, and run.
  const mayExecute = options !== undefined && !options.split(',').includes('noexec')
  return mayExecute && bavail * bsize > ENOUGH_BYTES ? IN_MEMORY : tmpdir()
}
