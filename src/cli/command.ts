/**
 * What a command of the command line is.
 */
import type { OptionSpecs, OptionValues } from '../options/options.ts'
import type { Lab, LabOptions } from '../lab.ts'
import type { Narrator } from '../report/narrator.ts'
import type { Terminal } from '../report/terminal.ts'
import type { Interrupt } from './interrupt.ts'

export interface CommandContext<O extends OptionSpecs = OptionSpecs> {
  readonly options: OptionValues<O>
  /** The words that are no options. */
  readonly words: readonly string[]
  /** Everything behind the command's name, as it was typed. */
  readonly argv: readonly string[]
  /** Whether stdout is for JSON alone. */
  readonly isJson: boolean
  readonly terminal: Terminal
  readonly narrate: Narrator
  readonly interrupt: Interrupt
  /** What --file and --runtime name: for a command that makes a cluster of its own. */
  readonly lab: Pick<LabOptions, 'file' | 'runtime'>
  /** Opens the lab, says which runtime was chosen and why, and releases it when the command ends. */
  readonly openLab: (options?: OpenOptions) => Promise<Lab>
}

export interface OpenOptions {
  /** @default false */
  readonly mayPull?: boolean
  /** Also a cluster that another program manages: see LabOptions.managed. @default 'refused' */
  readonly managed?: 'refused' | 'allowed'
  /** It changes nothing, so it can be done while another command changes something. @default false */
  readonly onlyLooks?: boolean
}

export interface Command<O extends OptionSpecs = OptionSpecs> {
  /** `psql [node]`; where an argument is one of some words, these: `sync [off|one|quorum]`. */
  readonly usage: string
  readonly summary: string
  /** Command lines to try, without what comes before the command's name. */
  readonly examples?: readonly string[]
  readonly options: O
  /** Hand unknown options on, instead of refusing them. */
  readonly takesAnyOption?: boolean
  /** Its result is the `--json` document; undefined where there is none. */
  run(context: CommandContext<O>): Promise<object | undefined>
}

/** Keeps the types of the options together with the command that reads them. */
export const command = <O extends OptionSpecs>(definition: Command<O>): Command => definition
