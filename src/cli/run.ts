/**
 * One command line, from what was typed to its exit code.
 */
import { CommanderError } from 'commander'
import { Disposer } from '../dispose.ts'
import { LabError } from '../errors.ts'
import { openLab } from '../lab.ts'
import { toJson } from '../report/json.ts'
import { Narrator } from '../report/narrator.ts'
import type { OptionSpecs } from '../options/options.ts'
import { signed } from '../report/files.ts'
import { createTerminal } from '../report/terminal.ts'
import { targetOf } from '../report/whole-file.ts'
import { commandLine } from './command-line.ts'
import { packageVersion } from '../package-folder.ts'
import { asTyped } from './as-typed.ts'
import type { Command, OpenOptions } from './command.ts'
import { logsCommand, psqlCommand } from './commands.ts'
import { explain } from './explain.ts'
import { CLOSED_PIPE_EXIT_CODE, createInterrupt, INTERRUPTED_EXIT_CODE, type Interrupt } from './interrupt.ts'
import { COMMON, commandName, createProgram, type Typed } from './program.ts'
import { commands } from './table.ts'

const say = asTyped(process.env)

/** Runs one command line to its exit code: 0 done, 1 failed, 2 used wrongly, 130 interrupted. */
async function main(argv: readonly string[], interrupt: Interrupt): Promise<number> {
  const program = createProgram({
    commands,
    asTyped: say,
    version: packageVersion(),
    execute: (definition, typed) => execute(definition, { ...typed, argv: argv.slice(1), interrupt }),
  })
  try {
    if (argv.length === 0) {
      program.outputHelp()
      return 2
    }
    await program.parseAsync(argv, { from: 'user' })
    return Number(process.exitCode ?? 0)
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0 // help, or the version
    const { print } = createTerminal(process.stderr, process.env, say)
    const { lines, exitCode } = explain(error)
    if (!interrupt.isUnheard) for (const line of lines) print(line)
    return exitCode
  }
}

interface Execution extends Typed {
  /** Everything behind the command's name, as it was typed. */
  readonly argv: readonly string[]
  readonly interrupt: Interrupt
}

async function execute(definition: Command, { given, words, argv, interrupt }: Execution): Promise<void> {
  const options = Object.fromEntries(
    Object.entries(definition.options).map(([name, spec]) => [name, spec.parse(given(spec))]),
  )
  requireDifferentFiles(definition.options, options)
  const isJson = COMMON.json.parse(given(COMMON.json))
  const terminal = createTerminal(isJson ? process.stderr : process.stdout, process.env, say)
  const typed = commandLine([commandName(definition), ...argv])
  const narrate = new Narrator(terminal, typed)
  const tell = (): void => {
    if (!interrupt.isUnheard) terminal.print('interrupted: unwinding (once more ends it at once)')
  }
  interrupt.signal.addEventListener('abort', tell)
  await using resources = new Disposer()
  resources.defer(() => terminal.idle())
  const runtime = runtimeName(COMMON.runtime.parse(given(COMMON.runtime)))
  const lab = { file: COMMON.file.parse(given(COMMON.file)), runtime }
  const open = async ({ mayPull = false, managed, onlyLooks = false }: OpenOptions = {}): ReturnType<
    typeof openLab
  > => {
    const onProgress = (step: string): void => terminal.busy(step)
    const changing = {
      command: typed,
      wait: COMMON.wait.parse(given(COMMON.wait)),
    }
    const named = { ...lab, lock: onlyLooks ? undefined : changing }
    const opened = resources.use(await openLab({ ...named, mayPull, managed, signal: interrupt.signal, onProgress }))
    if (definition !== psqlCommand && definition !== logsCommand) narrate.choice(opened.choice)
    opened.cluster.onEvent(event => narrate.event(event))
    return opened
  }
  const context = { options, words, argv, isJson, terminal, narrate, interrupt, lab, openLab: open }
  const result = await definition.run(context).catch((error: unknown) => {
    narrate.failAtEnd(error)
    return narrate.measured
  })
  terminal.idle()
  // What was measured says how.
  const made = narrate.measured === undefined ? undefined : typed
  if (isJson && result !== undefined) process.stdout.write(`${say(toJson(signed(result, made)))}\n`)
  if (narrate.failure !== undefined) throw narrate.failure.error
  // What was done by then is told; that it is not all, too.
  if (interrupt.signal.aborted && result !== undefined) process.exitCode = INTERRUPTED_EXIT_CODE
}

/** Two results in one file would be one of them. @throws LabError USAGE */
function requireDifferentFiles(specs: OptionSpecs, values: Readonly<Record<string, unknown>>): void {
  const flagOf = new Map<string, string>()
  for (const [name, { flags, isFile = false }] of Object.entries(specs)) {
    const value = values[name]
    if (!isFile || typeof value !== 'string') continue
    const [flag = ''] = flags.split(' ')
    const other = flagOf.get(targetOf(value))
    if (other !== undefined) throw new LabError('USAGE', `${other} and ${flag} name one file`, { hint: 'Name two.' })
    flagOf.set(targetOf(value), flag)
  }
}

function runtimeName(value: string | undefined): 'docker' | 'local' | undefined {
  if (value === undefined || value === 'docker' || value === 'local') return value
  throw new LabError('USAGE', `--runtime is ${JSON.stringify(value)}`, { hint: 'It is docker or local.' })
}

const interrupt = createInterrupt()
const words = process.argv.slice(2).filter((word, at) => !(word === '--' && at === 1))
const exitCode = await main(words, interrupt)
// Not process.exitCode: node has been seen to wait for ever, at the very end, for a socket that was never connected.
for (const stream of [process.stdout, process.stderr]) await new Promise(resolve => stream.write('', resolve))
const hasFailed = exitCode !== 0 && exitCode !== INTERRUPTED_EXIT_CODE
process.exit(interrupt.isUnheard && !hasFailed ? CLOSED_PIPE_EXIT_CODE : exitCode)
