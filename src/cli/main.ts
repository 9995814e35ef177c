#!/usr/bin/env node
/**
 * The command line: `pg-failover-lab <command>`, or `pnpm run <command>`.
 */
import { AssertionError } from 'node:assert'
import { cac, type CAC } from 'cac'
import streaming from '../../demos/01-streaming.ts'
import durability from '../../demos/03-durability.ts'
import switchover from '../../demos/06-switchover.ts'
import failover from '../../demos/07-failover.ts'
import { flagOption, textOption, type OptionSpecs } from '../options/options.ts'
import { Disposer } from '../dispose.ts'
import { codeOf, isLabError, LabError, messageOf, originOf, type LabErrorCode } from '../errors.ts'
import { openLab } from '../lab.ts'
import { toJson } from '../report/json.ts'
import { Narrator } from '../report/narrator.ts'
import { createTerminal, type Terminal } from '../report/terminal.ts'
import type { Command, OpenOptions } from './command.ts'
import { downCommand, logsCommand, psqlCommand, upCommand } from './commands.ts'
import { demoCommand } from './demo-command.ts'
import { lessonCommand } from './lesson-command.ts'
import { lagCommand } from './lag-command.ts'
import { rejoinCommand } from './rejoin-command.ts'
import { salvageCommand } from './salvage-command.ts'
import { addReplicaCommand, removeReplicaCommand } from './member-commands.ts'
import { benchCommand } from './bench-command.ts'
import { cascadeCommand } from './cascade-command.ts'
import { delayCommand } from './delay-command.ts'
import { chaosCommand } from './chaos-command.ts'
import { syncCommand } from './sync-command.ts'
import { CLOSED_PIPE_EXIT_CODE, createInterrupt, INTERRUPTED_EXIT_CODE, type Interrupt } from './interrupt.ts'
import { statusCommand } from './status-command.ts'

const commands: readonly Command[] = [
  upCommand,
  downCommand,
  statusCommand,
  psqlCommand,
  logsCommand,
  demoCommand(streaming, 'demo'),
  lessonCommand,
  demoCommand(failover),
  demoCommand(switchover),
  demoCommand(durability),
  rejoinCommand,
  salvageCommand,
  syncCommand,
  lagCommand,
  addReplicaCommand,
  removeReplicaCommand,
  cascadeCommand,
  delayCommand,
  chaosCommand,
  benchCommand,
]

/** Options of every command. */
const COMMON = {
  file: textOption(
    '--file <path>',
    'the compose file (default: LAB_COMPOSE_FILE, else the one that comes with the lab)',
  ),
  runtime: textOption('--runtime <name>', 'docker or local (default: LAB_RUNTIME, else what is there)'),
  wait: flagOption('--wait', 'wait for another command that changes the cluster, instead of being refused'),
  json: flagOption('--json', 'print the result as one JSON document; everything else goes to stderr'),
} satisfies OptionSpecs

/** Errors that mean: used wrongly. */
const USAGE_ERRORS: ReadonlySet<LabErrorCode> = new Set<LabErrorCode>([
  'USAGE',
  'COMPOSE_FILE_MISSING',
  'COMPOSE_FILE_INVALID',
  'NO_PRIMARY_SERVICE',
  'UNKNOWN_VARIABLE',
  'UNKNOWN_NODE',
])

/** cac gives `--no-rejoin` a default of its own, which says the opposite of what a reader takes it for. */
const withoutDefaultOfNo = (sections: readonly HelpSection[]): HelpSection[] =>
  sections.map(section => ({ ...section, body: section.body.replace(/^( +--no-.*) \(default: true\)$/gm, '$1') }))

interface HelpSection {
  title?: string
  body: string
}

/** Runs one command line to its exit code: 0 done, 1 failed, 2 used wrongly, 130 interrupted. */
async function main(argv: readonly string[], interrupt: Interrupt): Promise<number> {
  const cli = cac('pg-failover-lab').help(withoutDefaultOfNo)
  for (const definition of commands) declare(cli, definition, { argv, interrupt })
  try {
    cli.parse(['node', 'pg-failover-lab', ...argv], { run: false })
    if (cli.options['help'] === true) return 0
    if (argv[0] === undefined) {
      cli.outputHelp()
      return 2
    }
    if (cli.matchedCommand === undefined) {
      throw new LabError('USAGE', `there is no command "${argv[0]}"`, { hint: 'pg-failover-lab --help lists them.' })
    }
    await cli.runMatchedCommand()
    return Number(process.exitCode ?? 0)
  } catch (error) {
    const { print } = createTerminal(process.stderr, process.env)
    return explain(error, interrupt.isUnheard ? () => undefined : print)
  }
}

interface Typed {
  readonly argv: readonly string[]
  readonly interrupt: Interrupt
}

function declare(cli: CAC, definition: Command, { argv, interrupt }: Typed): void {
  const declared = cli.command(definition.usage, definition.summary)
  for (const { flags, description, default: standard } of Object.values({
    ...definition.options,
    ...COMMON,
  } as OptionSpecs)) {
    declared.option(flags, description, standard === undefined ? {} : { default: standard })
  }
  if (definition.takesAnyOption === true) declared.allowUnknownOptions()
  const behindName = argv.slice(argv.indexOf(commandName(definition)) + 1)
  declared.action(async (...all: unknown[]) => {
    const words = all.slice(0, -1).filter(word => typeof word === 'string')
    await execute(definition, { given: all.at(-1) as Record<string, unknown>, words, argv: behindName, interrupt })
  })
}

/** The first word of its usage. */
const commandName = ({ usage }: Command): string => usage.split(' ', 1).join()

interface Given extends Typed {
  readonly given: Readonly<Record<string, unknown>>
  readonly words: readonly string[]
}

async function execute(definition: Command, { given, words, argv, interrupt }: Given): Promise<void> {
  const options = Object.fromEntries(
    Object.entries(definition.options).map(([name, spec]) => [name, spec.parse(given[name])]),
  )
  const isJson = COMMON.json.parse(given['json'])
  const terminal = createTerminal(isJson ? process.stderr : process.stdout, process.env)
  const narrate = new Narrator(terminal)
  const tell = (): void => {
    if (!interrupt.isUnheard) terminal.print('interrupted: unwinding (once more ends it at once)')
  }
  interrupt.signal.addEventListener('abort', tell)
  await using resources = new Disposer()
  resources.defer(() => terminal.idle())
  const open = async ({ mayPull = false, onlyLooks = false }: OpenOptions = {}): ReturnType<typeof openLab> => {
    const onProgress = (step: string): void => terminal.busy(step)
    const named = { file: COMMON.file.parse(given['file']), runtime: runtimeName(given['runtime']) }
    const changing = { command: [commandName(definition), ...argv].join(' '), wait: COMMON.wait.parse(given['wait']) }
    const lock = onlyLooks ? undefined : changing
    const lab = resources.use(await openLab({ ...named, mayPull, lock, signal: interrupt.signal, onProgress }))
    if (definition !== psqlCommand && definition !== logsCommand) narrate.choice(lab.choice)
    lab.cluster.onEvent(event => narrate.event(event))
    return lab
  }
  const result = await definition.run({ options, words, argv, isJson, terminal, narrate, interrupt, openLab: open })
  terminal.idle()
  if (isJson && result !== undefined) process.stdout.write(`${toJson(result)}\n`)
  // What was done by then is told; that it is not all, too.
  if (interrupt.signal.aborted && result !== undefined) process.exitCode = INTERRUPTED_EXIT_CODE
}

function runtimeName(value: unknown): 'docker' | 'local' | undefined {
  if (value === undefined || value === 'docker' || value === 'local') return value
  throw new LabError('USAGE', `--runtime is ${JSON.stringify(value)}`, { hint: 'It is docker or local.' })
}

/** The only place where an error is spoken. A stack trace is for a bug of ours, not for a user's mistake. */
function explain(thrown: unknown, print: Terminal['print']): number {
  const error = originOf(thrown)
  if (isLabError(error)) {
    print(`error: ${error.message}`)
    if (error.hint !== undefined) print(`hint: ${error.hint}`)
    if (error.code === 'INTERRUPTED') return INTERRUPTED_EXIT_CODE
    return USAGE_ERRORS.has(error.code) ? 2 : 1
  }
  if (error instanceof AssertionError) {
    print(`the claim does not hold: ${error.message}`)
    return 1
  }
  if (error instanceof Error && error.name === 'CACError') {
    print(`error: ${error.message}`)
    print('hint: --help shows the options.')
    return 2
  }
  if (codeOf(error) === 'ETIMEDOUT') {
    print(`error: a server accepted a question and gave ${messageOf(error)}`)
    print('hint: pnpm run status shows the nodes. A commit may wait for a standby that is gone: pnpm run sync off.')
    return 1
  }
  print(`bug: ${messageOf(error)}`)
  if (error instanceof Error && error.stack !== undefined) print(error.stack)
  return 1
}

const interrupt = createInterrupt()
const words = process.argv.slice(2).filter((word, at) => !(word === '--' && at === 1))
const exitCode = await main(words, interrupt)
// Not process.exitCode: node has been seen to wait for ever, at the very end, for a socket that was never connected.
for (const stream of [process.stdout, process.stderr]) await new Promise(resolve => stream.write('', resolve))
const hasFailed = exitCode !== 0 && exitCode !== INTERRUPTED_EXIT_CODE
process.exit(interrupt.isUnheard && !hasFailed ? CLOSED_PIPE_EXIT_CODE : exitCode)
