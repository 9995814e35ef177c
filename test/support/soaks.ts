import type { SoakOptions } from '../../src/experiments/chaos/soak.ts'

type AskedSoak = Pick<SoakOptions, 'sync'> & { readonly seed: number; readonly rounds: number }

/**
 * The soaks of the suite. The local one has as many rounds as there are actions, so that each is struck; its seed is one of
 * which the rounds are short, and whose `hit-switchover` is hit at once.
 */
export const SOAKS: Readonly<Record<'docker' | 'local', AskedSoak>> = {
  docker: { seed: 5, rounds: 2, sync: 'quorum' },
  local: { seed: 3637, rounds: 19, sync: 'asynchronous' },
}
