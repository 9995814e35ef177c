/**
 * `sync`: what a commit waits for, shown or set.
 */
import { readSynchronous, changeSynchronous, type SynchronousState } from '../operations/synchronous.ts'
import { textOption } from '../options/options.ts'
import { LabError } from '../errors.ts'
import { promisesDurability, standbysFor, synchronousCommits, synchronousWords } from '../postgres/synchronous.ts'
import type { Narrator } from '../report/narrator.ts'
import { command } from './command.ts'

const TIMEOUT_MS = 30_000

export const syncCommand = command({
  usage: 'sync [off|one|quorum]',
  examples: ['sync', 'sync one', 'sync quorum', 'sync off'],
  summary: 'what a commit waits for: show it, or set it to no standby, one, or any one of them',
  options: {
    commit: textOption(
      '--commit <level>',
      `synchronous_commit, with the word: ${synchronousCommits.join(', ')} (default: as it is)`,
    ),
  },
  run: async ({ openLab, words: [word], options, narrate, interrupt: { signal } }) => {
    const known = synchronousWords.find(candidate => candidate === word)
    if (word !== undefined && known === undefined) {
      throw new LabError('USAGE', `"${word}" is nothing that a commit can wait for`, {
        hint: 'It is off, one or quorum.',
      })
    }
    const standbys = known === undefined ? undefined : standbysFor(known)
    const commit = synchronousCommits.find(level => level === options.commit)
    if (options.commit !== undefined && (commit === undefined || standbys === undefined)) {
      throw new LabError('USAGE', `--commit is "${options.commit}"${standbys === undefined ? ', with no word' : ''}`, {
        hint: `Write sync off, one or quorum, and --commit with ${synchronousCommits.join(', ')}.`,
      })
    }
    const { cluster } = await openLab({ onlyLooks: standbys === undefined })
    const before = await readSynchronous(cluster, signal)
    const limits = { timeoutMs: TIMEOUT_MS, signal }
    const synchronousCommit = commit ?? synchronousCommits.find(level => level === before.synchronousCommit) ?? 'on'
    const state =
      standbys === undefined ? before : await changeSynchronous(cluster, { standbys, synchronousCommit }, limits)
    narrateSynchronous(narrate, state)
    return { version: 1, ...state }
  },
})

function narrateSynchronous(narrate: Narrator, state: SynchronousState): void {
  narrate.say(`synchronous_standby_names   ${state.synchronousStandbyNames || '(empty)'}`)
  narrate.say(`synchronous_commit          ${state.synchronousCommit}`)
  for (const [node, syncState] of Object.entries(state.syncStates)) narrate.say(`${node.padEnd(27)} ${syncState}`)
  const synchronousCommit = synchronousCommits.find(level => level === state.synchronousCommit)
  if (state.standbys === undefined || synchronousCommit === undefined) return
  const isPromised = promisesDurability({ standbys: state.standbys, synchronousCommit })
  narrate.say(
    isPromised
      ? 'A commit that is acknowledged is on a standby too. Without any standby, commits wait until there is one: pnpm run sync off lets them go.'
      : 'A commit that is acknowledged may be on the primary alone, and is lost with it.',
  )
}
