/**
 * Synchronous replication: which standbys a commit waits for, and for what. Pure.
 * https://www.postgresql.org/docs/current/runtime-config-replication.html#GUC-SYNCHRONOUS-STANDBY-NAMES
 */

/** None; the first of the list that is there; any one of the list. */
export const synchronousStandbys = ['asynchronous', 'one', 'quorum'] as const
export type SynchronousStandbys = (typeof synchronousStandbys)[number]

/** The same, as words that a person types. */
export const synchronousWords = ['off', 'one', 'quorum'] as const
export type SynchronousWord = (typeof synchronousWords)[number]

export const standbysFor = (word: SynchronousWord): SynchronousStandbys => (word === 'off' ? 'asynchronous' : word)

/** Values of synchronous_commit, from the least to the most that a commit waits for. */
export const synchronousCommits = ['off', 'local', 'remote_write', 'on', 'remote_apply'] as const
export type SynchronousCommit = (typeof synchronousCommits)[number]

/** What a commit waits for. */
export interface Synchronous {
  readonly synchronousCommit: SynchronousCommit
  readonly standbys: SynchronousStandbys
}

/**
 * Whether a write that was acknowledged under these settings is on a standby when the primary dies.
 * With `remote_write` it is in the standby's operating system, which the death of the primary does not touch.
 */
export const promisesDurability = ({ standbys, synchronousCommit }: Synchronous): boolean =>
  standbys !== 'asynchronous' && synchronousCommit !== 'off' && synchronousCommit !== 'local'

/** The value of synchronous_standby_names. All nodes are in it, so that it is right whichever is the primary. */
export function synchronousStandbyNames(standbys: SynchronousStandbys, nodes: readonly string[]): string {
  const names = nodes.map(name => `"${name.replaceAll('"', '""')}"`).join(', ')
  switch (standbys) {
    case 'asynchronous':
      return ''
    case 'one':
      return `FIRST 1 (${names})`
    case 'quorum':
      return `ANY 1 (${names})`
  }
}

/** Which of them a value of synchronous_standby_names is, if the lab has set it. */
export function synchronousStandbysOf(names: string): SynchronousStandbys | undefined {
  if (names === '') return 'asynchronous'
  if (/^FIRST 1 \(/i.test(names)) return 'one'
  return /^ANY 1 \(/i.test(names) ? 'quorum' : undefined
}
