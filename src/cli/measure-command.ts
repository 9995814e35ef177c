/**
 * `measure`: a failover of any cluster that has addresses, whoever manages it.
 */
import { AssertionError } from 'node:assert'
import { NamedServers } from '../client/named-servers.ts'
import { trialOptions } from '../demo/trial-options.ts'
import { LabError } from '../errors.ts'
import type { Settle } from '../experiments/measure/measure.ts'
import { measureSeries } from '../experiments/measure/series.ts'
import { judgeClaims, type Judgement } from '../measure/claims.ts'
import type { Measured, MeasuredRecord } from '../measure/measured.ts'
import { summariseTrials, type TrialsDocument } from '../measure/trials.ts'
import { countOption, durationOf, durationOption, flagOption, textOption, textsOption } from '../options/options.ts'
import { withoutPasswords } from '../postgres/conninfo.ts'
import { narrateAcknowledgements, narrateErrors } from '../report/failover.ts'
import { keepEvidence } from '../report/files.ts'
import { narrateClaims, narrateMeasured, narrateSurvey } from '../report/measured.ts'
import { withoutEscapes } from '../report/plain-text.ts'
import { narrateTrials, trialNarrator } from '../report/trials.ts'
import { seconds } from '../wait.ts'
import { command, type CommandContext } from './command.ts'

const options = {
  node: textsOption(
    '--node <url>',
    'a node, postgresql://user@host:port/database; once for each, whatever its role; password in PGPASSWORD or ~/.pgpass',
  ),
  primary: textOption('--primary <url>', 'instead: one address that leads to the primary, whoever that is'),
  standby: textsOption('--standby <url>', 'with --primary: a server that is only looked at; once for each'),
  line: textOption('--do <command>', 'what takes the primary away, for a shell: sh -c'),
  doAfter: durationOption('--do-after <time>', '5s', 'let the client write for so long before it'),
  rate: trialOptions.rate,
  connections: trialOptions.connections,
  writeTimeout: durationOption('--write-timeout <time>', '2s', 'a write without an answer is given up after this'),
  connectTimeout: durationOption('--connect-timeout <time>', '2s', 'an attempt to connect, too'),
  settle: textOption(
    '--settle <time>',
    'look for so long from the command on; or writable: until a new primary acknowledges writes, for 10min at most, or 1min after a command that failed (default: 60s)',
  ),
  trials: trialOptions.trials,
  between: textOption('--between <command>', 'with --trials: what heals the cluster between two, for a shell'),
  healthy: textOption('--healthy <command>', 'asked before each trial until it exits with 0, for a shell'),
  label: textOption('--label <text>', 'what the document and the report are called'),
  expectLost: countOption(
    '--expect-lost <n>',
    { min: 0, max: 1_000_000_000 },
    'fail if more acknowledged writes are lost, or if it is not known',
  ),
  maxOutage: durationOption('--max-outage <time>', undefined, 'fail if nobody could write for longer'),
  schema: textOption('--schema <name>', 'where the table is made; the schema too, if it is not there (default: lab)'),
  keep: flagOption('--keep', 'leave the table'),
  report: trialOptions.report,
  history: trialOptions.history,
}

type Context = CommandContext<typeof options>

export const measureCommand = command({
  usage: 'measure',
  examples: [
    "measure --node postgresql://app@db1/app --node postgresql://app@db2/app --do 'ssh db1 sudo pkill -KILL postgres'",
    "measure --primary postgresql://app@vip/app --do 'patronictl switchover --force' --expect-lost 0 --max-outage 30s",
  ],
  summary: 'measure a failover of any cluster that has addresses, whoever manages it',
  options,
  run: async context => {
    const { narrate, options } = context
    const { line, servers } = requested(context)
    const claimed = { expectLost: options.expectLost, maxOutageMs: options.maxOutage }
    const settle = settleOf(options.settle)
    let left: string | null = null
    const runs = await measureSeries(servers, {
      ...{ line, settle, label: options.label, trials: options.trials },
      ...{ ratePerSecond: options.rate, connections: options.connections },
      ...{ writeTimeoutMs: options.writeTimeout, connectTimeoutMs: options.connectTimeout },
      ...{ doAfterMs: options.doAfter, between: options.between, healthy: options.healthy },
      ...{ schema: options.schema ?? 'lab', keep: options.keep },
      ...listeners(context),
      onLeft: text => {
        left = text
        narrate.say(`left behind    ${text}`)
      },
    })
    const claims = judgeClaims(
      runs.map(({ record }) => record),
      claimed,
    )
    const document = { ...tell(context, runs), claims, leftBehind: left }
    narrateClaims(narrate, claims)
    await keepEvidence(narrate, { document, runs, ...options })
    requireClaims(claims)
    requireFailovers(runs, settle)
    return document
  },
})

/** @throws LabError USAGE */
function requested({ options }: Context): { readonly line: string; readonly servers: NamedServers } {
  const { line, node, primary, standby, connectTimeout } = options
  if ((primary === undefined) === (node.length === 0))
    throw new LabError('USAGE', 'a cluster is named by its nodes, or by one address', {
      hint: 'Name every node with --node URL --node URL, or an address that leads to the primary with --primary URL.',
    })
  if (node.length > 0 && standby.length > 0)
    throw new LabError('USAGE', '--standby is for --primary', { hint: 'With --node every node is looked at.' })
  if (line === undefined || line.trim() === '')
    throw new LabError('USAGE', '--do is missing', { hint: "What takes the primary away: --do 'command'." })
  const servers = new NamedServers({
    ...(primary === undefined ? { nodes: node } : { address: primary }),
    ...{ standbys: standby, connectTimeoutMs: connectTimeout },
  })
  return { line, servers }
}

function settleOf(given: string | undefined): Settle {
  if (given === 'writable') return { kind: 'writable' }
  return { kind: 'time', ms: durationOf('--settle', given ?? '60s') }
}

/** What is told while it goes on. */
function listeners(
  context: Context,
): Pick<
  Parameters<typeof measureSeries>[1],
  'signal' | 'onProgress' | 'onLine' | 'onSurvey' | 'onTrial' | 'onFailure'
> {
  const { narrate, terminal, options, interrupt } = context
  const isOne = options.trials === 1
  return {
    signal: interrupt.signal,
    onProgress: text => terminal.busy(text),
    onLine: line => {
      terminal.idle()
      const text = withoutEscapes(withoutPasswords(line))
      process.stderr.write(`   ${process.stderr.isTTY ? terminal.style.dim(text) : text}\n`)
    },
    onSurvey: (survey, trial) => {
      if (trial > 1) return
      narrate.step('Who is there', 'Asked of themselves; nothing is done to them yet.')
      narrateSurvey(narrate, survey)
      narrate.step(
        `A client writes, and after ${seconds(options.doAfter)} the command is run${isOne ? '' : `; ${options.trials} times`}`,
        `${options.rate} writes a second over ${options.connections} connections, each its own transaction with its own id.`,
      )
      narrate.say(`$ ${withoutPasswords(options.line ?? '')}`)
    },
    ...(isOne ? {} : trialNarrator(narrate)),
  }
}

/** Prints what one run has shown, or what all of them together. */
function tell({ narrate, options }: Context, runs: readonly Measured[]): MeasuredRecord | Series {
  const [first] = runs
  const records = runs.map(({ record }) => record)
  if (options.trials > 1) {
    narrate.step('What they say together')
    const document = summariseTrials(records, options.trials)
    narrateTrials(narrate, document)
    return { ...document, target: records[0]?.target ?? 'nodes', label: options.label ?? null }
  }
  if (first === undefined) throw new Error('a series without an error has a trial')
  narrate.step('What the client was told meanwhile')
  narrateErrors(narrate, first.history)
  narrate.step('What the client lost', 'Its own history, which no server holds, against what is in the new primary.')
  narrateMeasured(narrate, first.record)
  narrateAcknowledgements(narrate, first)
  return first.record
}

type Series = TrialsDocument<MeasuredRecord> & Pick<MeasuredRecord, 'target' | 'label'>

/** @throws AssertionError */
function requireClaims(claims: readonly Judgement[]): void {
  const broken = claims.filter(({ held }) => held !== true).map(({ claim, why }) => `${claim}: ${why}`)
  if (broken.length > 0) throw new AssertionError({ message: broken.join('; ') })
}

/** @throws LabError TIMEOUT */
function requireFailovers(runs: readonly Measured[], settle: Settle): void {
  const without = runs.find(({ record }) => record.change === 'none')
  if (without === undefined) return
  const { oldPrimary, servers, nodesAtEnd, writes } = without.record
  const seen = nodesAtEnd
    .map(({ node, role }) => `${node} is ${role === 'unreachable' ? role : `a ${role}`}`)
    .join(', ')
  const within = settle.kind === 'time' ? ` within ${seconds(settle.ms)} of the command` : ''
  throw new LabError('TIMEOUT', `no failover came${within}; last seen: ${seen}`, {
    hint: `${oldPrimary} was the primary on timeline ${servers.before.timeline ?? 'unknown'}, and acknowledged ${writes.acknowledged} writes in all. --settle 5min looks for longer.`,
  })
}
