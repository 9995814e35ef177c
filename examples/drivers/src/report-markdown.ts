/**
 * docs/drivers.md, from the kept run. Pure.
 */
import type { DriversDocument } from './document.ts'
import { findingsOf } from './findings.ts'
import { settingOf } from './report-terminal.ts'
import { overview, situationTable, type SituationInDocument, type Table } from './tables.ts'

export function markdownReport(document: DriversDocument): string {
  const { situations, subjects, options } = document
  const [readers, listeners] = (['read', 'listen'] as const).map(work => situations.filter(one => one.work === work))
  const writers = situations.filter(({ work }) => work !== 'read' && work !== 'listen')
  return `${[
    "# What Node's PostgreSQL drivers do in a failover",
    INTRODUCTION,
    `The run: ${settingOf(document)}. n = ${options.trials} of each situation.`,
    HOW,
    '## In short',
    findingsOf(document)
      .map(({ fact, who }) => `- ${fact}: ${cellText(who.join('; ') || 'none')}.`)
      .join('\n'),
    '## With the defaults',
    READING,
    markdownTable(overview(document, 'default', writers)),
    '## With the smallest configuration that mends it',
    markdownTable(overview(document, 'mended', writers)),
    '## Who listens, and who reads from standbys',
    ...[listeners ?? [], readers ?? []].flatMap(some => [markdownTable(withVariants(document, some))]),
    '## What mends each',
    MENDING,
    codeBlock(document.givesUp),
    ...subjects.flatMap(({ title, mended, variants }) => [
      `### ${title}`,
      ...(variants === undefined ? [] : [`It ran with ${variants.default}, and then with ${variants.mended}.`]),
      codeBlock(mended),
    ]),
    '## Every situation',
    COLUMNS,
    ...situations.flatMap(situation => [
      `### ${situation.title}`,
      `\`${situation.id}\`. ${situation.says}`,
      markdownTable(situationTable(document, situation)),
    ]),
  ].join('\n\n')}\n`
}

const INTRODUCTION = `Each driver runs in a process of its own, once with its defaults and once mended, all of them side by side against one real
cluster for each trial, and meets a real fault. \`pnpm run drivers\` makes the run again; \`--help\` tells its options. This page is made
from [a run that was kept](../examples/drivers/kept-run.json), and the code in it is the code that ran.`

const HOW = `Before the fault every pool has opened as many connections as it opens by default, as after a busy minute. A subject is sent one request
every so often whether or not earlier ones came back, and no more than 24 are under way; what fails is sent again with the same id. Times are
from the promotion to the first request that was acknowledged after it, on the clock of the one machine that everything runs on, and not finer
than the time between two requests. Several subjects share a cluster and the machine's cores, so a time has their noise in it: what counts is
whether it is tens of milliseconds, seconds, or never. Statements are raw SQL through each driver, the same for all: what is measured is
connections and pools, not query builders. The relays of the lab acknowledge what they take, as a frozen server's kernel does: on a network that
loses packets the client's kernel gives up by itself after some minutes, which is later than this looks.`

const READING = `A time: it went on by itself, and that is when the first request was acknowledged. Crashes: the process ended. Stuck: no request in the
last three seconds of the observation was acknowledged; partly: some were. With how many of the trials, where they differ. In \`never\` nobody moves
the address: what has only that one cannot do anything about it, and the last section says whether it goes on once it is moved.`

const MENDING = `Three things, and each driver has another place for them: somebody must listen to the error of an idle connection; a connection, and an
answer, must be waited for with a limit; and a session that turns out to be with a read-only server, or with one that does not answer, must not be
given out again. A pool that is told of the error (\`release(error)\`, \`pool.query()\`) does the last by itself. For those that give connections
back whatever happened, this is attached to each new connection ([gives-up.ts](../examples/drivers/src/gives-up.ts)):`

const COLUMNS = `At the end: how it was in the last three seconds of the observation, and what made a stuck one go on afterwards. Hanging: requests that were
under way for more than three seconds then. On the old node: sessions that the subject still had there; empty where that node is down. In a black hole
nobody hears a client leave, so they stay there whatever the client does. Twice:
ids that are in the table more than once. Astray: acknowledged after the promotion, and not in the new primary, since the old one took them; in \`reset\` nobody
hinders it until it is killed, some tenths of a second after the promotion. Memory: resident, the median. Errors: over all trials.`

/** Both variants of each subject, one under the other. */
function withVariants(document: DriversDocument, situations: readonly SituationInDocument[]): Table {
  const [defaults, mended] = (['default', 'mended'] as const).map(variant => overview(document, variant, situations))
  const rows = (defaults?.rows ?? []).flatMap(([name = '', ...cells], at) => [
    [`${name}, defaults`, ...cells],
    [`${name}, mended`, ...(mended?.rows[at]?.slice(1) ?? [])],
  ])
  return { head: defaults?.head ?? [], rows }
}

const markdownTable = ({ head, rows }: Table): string =>
  [head, head.map(() => '---'), ...rows].map(row => `| ${row.map(cellText).join(' | ')} |`).join('\n')

/** Nothing of an error's text is Markdown. */
const cellText = (text: string): string => text.replaceAll(/[\\|<>*_`[\]]/g, character => `\\${character}`)

const codeBlock = (code: string): string => `\`\`\`ts\n${code}\n\`\`\``
