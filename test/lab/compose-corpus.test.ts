/**
 * Docker Compose still answers what the corpus says it answers, and the lab's way to ask it gives the same.
 */
import { expect, test } from 'vitest'
import { run } from '../../src/runtime/command.ts'
import { askCompose } from '../../src/runtime/docker/ask-compose.ts'
import { parseComposeModel } from '../../src/topology/compose/model.ts'
import { readSource } from '../../src/topology/compose/source.ts'
import {
  answerOf,
  laidOut,
  readCorpus,
  writeCorpus,
  type Answer,
  type CorpusCase,
  type Place,
} from '../support/compose-corpus.ts'
import { describeEachRuntime } from '../support/runtimes.ts'

/** As somebody types it who knows nothing of the lab. */
async function typed(place: Place): Promise<Answer | null> {
  const argv = ['docker', 'compose', 'config', '--format', 'json'] as const
  const { exitCode, stdout } = await run([...argv], { environment: place.environment, timeoutMs, cwd: place.folder })
  return exitCode === 0 ? answerOf(parseComposeModel(stdout), place) : null
}

/** As the lab asks. */
async function asked(place: Place): Promise<Answer | null> {
  try {
    return answerOf(await askCompose(await readSource(place)), place)
  } catch (error) {
    expect(error).toMatchObject({ code: 'COMPOSE_FILE_INVALID' })
    return null
  }
}

const timeoutMs = 60_000

async function answerTo(a: CorpusCase, ask: typeof typed): Promise<Answer | null> {
  await using place = await laidOut(a)
  return await ask(place)
}

const composeVersion = async (): Promise<string> => {
  const argv = ['docker', 'compose', 'version', '--short'] as const
  return (await run([...argv], { environment: process.env, timeoutMs: 60_000 })).stdout.trim()
}

describeEachRuntime(
  'Docker Compose',
  () => {
    test('answers as it did when the corpus was written', async () => {
      const corpus = await readCorpus()
      const version = await composeVersion()
      const ask = process.env['COMPOSE_CORPUS'] === 'record' ? typed : asked
      const now: CorpusCase[] = []
      for (const a of corpus.cases) now.push({ ...a, answer: await answerTo(a, ask) })
      expect(now.filter(({ answer }) => answer !== null).length).toBeGreaterThan(100)
      if (ask === typed) await writeCorpus({ version, cases: now })
      // Another version may read some of them otherwise.
      else if (version === corpus.version) expect(now).toEqual(corpus.cases)
    })
  },
  ['docker'],
)
