/**
 * The steps of a lesson. With --step each waits for a key at its end, and says what to try by hand meanwhile.
 */
import type { Step } from '../demo/demo.ts'
import { LabError, throwIfInterrupted } from '../errors.ts'
import type { Narrator } from '../report/narrator.ts'
import { readKeys } from '../report/screen.ts'
import type { Terminal } from '../report/terminal.ts'
import type { Lock } from '../runtime/lock.ts'

export interface Steps {
  readonly step: Step
  /** The last step is over. */
  readonly end: () => Promise<void>
}

export interface StepsOptions {
  readonly narrate: Narrator
  readonly terminal: Terminal
  /** Whether to wait for a key. */
  readonly isWaiting: boolean
  readonly signal: AbortSignal
  /** Lent to other commands while it waits. */
  readonly lock: Lock | undefined
}

/** @throws LabError USAGE when there is no terminal to wait at */
export function requireKeys(): void {
  if (process.stdin.isTTY && process.stdout.isTTY) return
  throw new LabError('USAGE', '--step waits for a key, and there is no terminal', { hint: 'Leave out --step.' })
}

export function createSteps({ narrate, terminal, isWaiting, signal, lock }: StepsOptions): Steps {
  let byHand: readonly string[] | undefined
  const end = async (): Promise<void> => {
    if (!isWaiting || byHand === undefined) return
    terminal.idle()
    narrate.say('')
    if (byHand.length > 0) narrate.say(`Meanwhile, in another terminal:\n${byHand.map(line => `  ${line}`).join('\n')}`)
    narrate.say('Any key goes on, q ends the lesson.')
    byHand = undefined
    await (lock === undefined ? waitForKey(signal) : lock.lend(() => waitForKey(signal)))
  }
  return {
    step: async (what, why, tries = []) => {
      await end()
      narrate.step(what, why)
      byHand = tries
    },
    end,
  }
}

async function waitForKey(signal: AbortSignal): Promise<void> {
  throwIfInterrupted(signal)
  await new Promise<void>(resolve => {
    const done = (): void => {
      keys[Symbol.dispose]()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const keys = readKeys(process.stdin, key => {
      if (key === 'q') process.kill(process.pid, 'SIGINT')
      else done()
    })
    signal.addEventListener('abort', done, { once: true })
  })
  throwIfInterrupted(signal)
}
