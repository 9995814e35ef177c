/**
 * What a trial waits for in its subjects.
 */
import { met, notMet, type Condition } from 'pg-failover-lab'
import type { SubjectProcess } from './subject-process.ts'

const WORKS_AFTER = 5

export const loaded = (all: readonly SubjectProcess[]): Condition<undefined> =>
  each(all, 'load its driver', ({ isLoaded, isGone }) => isLoaded || isGone)

export const working = (all: readonly SubjectProcess[]): Condition<undefined> =>
  each(all, 'work', subject => isWorking(subject) || subject.isGone)

export const filled = (all: readonly SubjectProcess[]): Condition<undefined> =>
  each(all, 'fill its pool', ({ isFilled, isGone }) => isFilled || isGone)

/** Of those that are left. */
export const healed = (stuck: () => readonly string[]): Condition<undefined> => ({
  what: 'every subject to work again',
  observe: async () => (stuck().length === 0 ? met(undefined) : notMet(`${stuck().join(', ')} do not`)),
})

export const isWorking = ({ acknowledged, isGone }: SubjectProcess): boolean => acknowledged >= WORKS_AFTER && !isGone

const each = (
  all: readonly SubjectProcess[],
  what: string,
  isDone: (subject: SubjectProcess) => boolean,
): Condition<undefined> => ({
  what: `every subject to ${what}`,
  observe: async () => {
    const others = all
      .filter(subject => !isDone(subject))
      .map(({ name, lastError }) => `${name} (${lastError ?? 'silent'})`)
    return others.length === 0 ? met(undefined) : notMet(`${others.join(', ')} did not`)
  },
})
