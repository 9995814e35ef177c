/**
 * `lesson`: the course. Lists the lessons, or runs one by its number or name, with its own standards for every option.
 */
import streaming from '../../demos/01-streaming.ts'
import lag from '../../demos/02-lag.ts'
import durability from '../../demos/03-durability.ts'
import cancelledWait from '../../demos/04-cancelled-wait.ts'
import slots from '../../demos/05-slots.ts'
import switchover from '../../demos/06-switchover.ts'
import failover from '../../demos/07-failover.ts'
import rewind from '../../demos/08-rewind.ts'
import splitBrain from '../../demos/09-split-brain.ts'
import cascading from '../../demos/10-cascading.ts'
import delayedStandby from '../../demos/11-delayed-standby.ts'
import readOnly from '../../demos/12-read-only.ts'
import readYourWrites from '../../demos/13-read-your-writes.ts'
import connectionPool from '../../demos/14-connection-pool.ts'
import automatic from '../../demos/15-automatic.ts'
import freeze from '../../demos/16-freeze.ts'
import type { Demo } from '../demo/demo.ts'
import { LabError } from '../errors.ts'
import { command } from './command.ts'
import { runDemo, stepOption } from './demo-command.ts'

/** In the order in which they build on each other; the files in demos/ bear the same numbers. */
export const lessons: readonly Demo[] = [
  streaming,
  lag,
  durability,
  cancelledWait,
  slots,
  switchover,
  failover,
  rewind,
  splitBrain,
  cascading,
  delayedStandby,
  readOnly,
  readYourWrites,
  connectionPool,
  automatic,
  freeze,
]

export const lessonCommand = command({
  usage: 'lesson [number|name]',
  examples: ['lesson', 'lesson 1 --step'],
  summary: 'the course: list the lessons, or run one by its number or name',
  options: { step: stepOption },
  run: async context => {
    const { narrate, words, options } = context
    const [wanted] = words
    if (wanted === undefined) {
      narrate.table(
        ['', 'lesson', 'question'],
        lessons.map(({ name, question }, at) => [at + 1, name, question]),
      )
      narrate.say('')
      narrate.say('pnpm run lesson 1 runs the first; --step waits for a key after each step.')
      return {
        version: 1,
        lessons: lessons.map(({ name, title, question }, at) => ({ number: at + 1, name, title, question })),
      }
    }
    const lesson = lessons.find(({ name }, at) => wanted === name || wanted === String(at + 1))
    if (lesson === undefined) {
      throw new LabError('USAGE', `there is no lesson "${wanted}"`, { hint: 'pnpm run lesson lists them.' })
    }
    const standards = Object.fromEntries(
      Object.entries(lesson.options).map(([name, spec]) => [name, spec.parse(undefined)]),
    )
    return await runDemo(lesson, { ...context, options: standards }, options.step)
  },
})
