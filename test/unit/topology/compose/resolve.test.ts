import { describe, expect, test } from 'vitest'
import { readSource } from '../../../../src/topology/compose/source.ts'
import { resolveCompose } from '../../../../src/topology/compose/resolve.ts'
import { isLabError } from '../../../../src/errors.ts'
import { answerOf, laidOut, readCorpus, type Answer, type Place } from '../../../support/compose-corpus.ts'

const { cases } = await readCorpus()

/** The lab's own answer, or the error's text. */
async function answered(place: Place): Promise<Answer | string> {
  try {
    return answerOf(resolveCompose(await readSource(place)), place)
  } catch (error) {
    if (!isLabError(error, 'COMPOSE_FILE_INVALID') && !isLabError(error, 'UNKNOWN_VARIABLE')) throw error
    expect(error.hint).toBeDefined()
    return error.message
  }
}

describe('a compose file is read as Docker Compose reads it', () => {
  test.each(cases)('$name', async a => {
    await using place = await laidOut(a)
    const own = await answered(place)
    if (a.unread !== undefined) expect(own).toEqual(expect.stringContaining(a.unread))
    else if (a.answer === null) expect(own, 'Compose refuses it').toEqual(expect.any(String))
    else expect(own).toEqual(a.answer)
  })
})
