/**
 * The table of commands → a parser and its help, which is commander's.
 */
import { Command as Program, Option } from 'commander'
import { LabError } from '../errors.ts'
import { flagOption, textOption, type Given, type OptionSpec, type OptionSpecs } from '../options/options.ts'
import type { Command } from './command.ts'

/** Options of every command. */
export const COMMON = {
  file: textOption(
    '--file <path>',
    'the compose file (default: LAB_COMPOSE_FILE, else the one that comes with the lab)',
  ),
  runtime: textOption('--runtime <name>', 'docker or local (default: LAB_RUNTIME, else what is there)'),
  wait: flagOption('--wait', 'wait for another command that changes the cluster, instead of being refused'),
  json: flagOption('--json', 'print the result as one JSON document; everything else goes to stderr'),
} satisfies OptionSpecs

/** What was typed behind a command's name. */
export interface Typed {
  /** The words that are no options; and those that the command hands on. */
  readonly words: readonly string[]
  /** What an option was given; undefined when it was not. */
  readonly given: (spec: OptionSpec<unknown>) => Given
}

export interface ProgramOptions {
  readonly commands: readonly Command[]
  readonly version: string
  /** Writes a command as who reads it would type it. */
  readonly asTyped: (text: string) => string
  readonly execute: (command: Command, typed: Typed) => Promise<void>
}

/** Every value is text, or a list of it: what it means is for the option to say. @throws CommanderError when parsing */
export function createProgram({ commands, version, asTyped, execute }: ProgramOptions): Program {
  const program = new Program(asTyped('pnpm run ').trim())
    .description('Break PostgreSQL replication on your own machine, and see exactly what you lost')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .configureHelp({ subcommandTerm: command => command.name() })
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .addHelpText('after', asTyped('\nThe options of a command: pnpm run <command> --help'))
  for (const definition of commands) program.addCommand(subcommand(definition, { asTyped, execute }))
  return program
}

function subcommand(definition: Command, { asTyped, execute }: Pick<ProgramOptions, 'asTyped' | 'execute'>): Program {
  const { usage, summary, examples = [], takesAnyOption = false } = definition
  const [name = '', ...words] = usage.split(' ')
  const program = new Program(name)
    .summary(summary)
    .description(`${summary.replace(/^./, first => first.toUpperCase())}.`)
    .helpOption('-h, --help', 'print this help')
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .allowUnknownOption(takesAnyOption)
    .allowExcessArguments()
  for (const word of words) program.argument(word)
  const specs = Object.values<OptionSpec<unknown>>({ ...definition.options, ...COMMON })
  const options = new Map(specs.map(spec => [spec, optionOf(spec)]))
  for (const option of options.values()) program.addOption(option)
  if (examples.length > 0) {
    const lines = examples.map(example => asTyped(`  pnpm run ${example}`))
    program.addHelpText('after', `\nFor example:\n${lines.join('\n')}`)
  }
  return program.action(async () => {
    const excess = takesAnyOption ? undefined : program.args[words.length]
    if (excess !== undefined) {
      throw new LabError('USAGE', `${name} does not take "${excess}"`, {
        hint: `pnpm run ${name} --help shows what it takes.`,
      })
    }
    const values = program.opts<Record<string, Given>>()
    await execute(definition, { words: program.args, given: spec => valueOf(options.get(spec), values) })
  })
}

const valueOf = (option: Option | undefined, values: Readonly<Record<string, Given>>): Given =>
  option === undefined ? undefined : values[option.attributeName()]

function optionOf({ flags, description, default: standard }: OptionSpec<unknown>): Option {
  const isTold = typeof standard === 'string' || typeof standard === 'number'
  const text = isTold ? `${description} (default: ${standard})` : description
  const option = new Option(flags, text)
  if (option.isBoolean() || option.negate) return option
  return option.argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value])
}

/** The first word of its usage. */
export const commandName = ({ usage }: Command): string => usage.split(' ', 1).join()
