/**
 * Rewind, and salvage: an old primary comes back, and what only it has is kept before that is erased.
 * Question: what does the old primary have that nobody else has, and can it be saved?
 * You will see: acknowledged writes lost, read from the old primary started apart, and put back on the new one.
 * Run: pnpm run lesson rewind [--step]; pnpm run rejoin --salvage FILE is the command
 */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as lab from '../src/demo/index.ts'

const LIMIT = { timeoutMs: 120_000 }

export default lab.demo(
  {
    name: 'rewind',
    title: 'Rewind, and salvage: what only the old primary has',
    question: 'What does the old primary have that nobody else has, and can it be saved?',
    learnt:
      'The old primary left the common history at the fork, where the new timeline begins. What it wrote past that was acknowledged, and is nowhere else. pg_rewind brings it back in seconds by undoing exactly that, and a fresh clone erases it too: look first. Started apart, where neither clients nor peers reach it, the old primary can still be read; what is salvaged must be looked at before it is put back, because the world has gone on without it.',
    summary: 'find what only the old primary has, salvage it, rewind, and put the rows back',
    replication: 'asynchronous',
    options: {},
  },
  async ({ cluster, narrate, signal, step }) => {
    const limits = { ...LIMIT, signal }
    await step('A failover that loses writes', 'The standbys are cut from WAL for a moment, then the primary crashes.')
    const { record, history } = await lab.runTrial(cluster, { fault: 'crash', cutMs: 300, ...limits })
    lab.narrateFailover(narrate, record)
    assert.ok(record.writes.lost > 0, 'acknowledged writes are lost')
    const { oldPrimary: old, newPrimary } = record

    await step(`What ${old} has past the fork`, 'Its server is down; its WAL is read, and changed by nothing.', [
      `pnpm run rejoin ${old} --salvage lost.sql   (does all that follows; this lesson will then find nothing to do)`,
    ])
    const past = await lab.readPastFork(cluster, old, limits)
    lab.narratePastFork(narrate, old, past)
    if (past === null || !(await cluster.runtime.offers('psql'))) {
      narrate.say('This PostgreSQL comes without psql, which a salvage needs: the rows go with the rejoin.')
      const back = await lab.rejoin(cluster, old, limits)
      lab.narrateRejoined(narrate, back)
      return { version: 1, runtime: cluster.runtime.name, lost: record.lostIds, salvaged: null, by: back.by }
    }

    await step('Salvage', `${old} is started apart: no TCP, a socket in a private folder, read only.`)
    const folder = await mkdtemp(join(tmpdir(), 'lab-salvage-'))
    await using _folder = { [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) }
    const salvaged = await lab.salvage(cluster, past, { file: join(folder, 'lost.sql'), ...limits })
    lab.narrateSalvage(narrate, salvaged)
    const statements = await readFile(salvaged.file, 'utf8')
    narrate.say(`${statements.split('\n').slice(0, 6).join('\n')}\n…`)
    // Among them may be writes whose answer was lost with the primary: nobody was promised them.
    assert.ok(salvaged.rows >= record.writes.lost, 'every lost row is salvaged')

    await step(`${old} comes back`, 'Now what it has past the fork is undone.')
    const back = await lab.rejoin(cluster, old, limits)
    lab.narrateRejoined(narrate, back)
    await lab.waitUntil(lab.healthy(cluster), limits)

    await step('The rows are put back', 'On the new primary, as psql would do it with the file.')
    await using session = await cluster.connect(newPrimary, { signal })
    await session.query(statements, [], LIMIT)
    const findings = lab.checkHistory(history, await lab.readSurvivors(cluster, history.run, signal), {
      faultHappened: true,
    })
    narrate.say(`lost ${findings.lostIds.length} of ${findings.acknowledged} acknowledged writes`)
    assert.deepEqual(findings.lostIds, [], 'nothing that was acknowledged is missing any more')
    return { version: 1, runtime: cluster.runtime.name, lost: record.lostIds, salvaged: salvaged.rows, by: back.by }
  },
)
