/**
 * What a demo is: a lesson which does its thing for real, narrates it, and asserts its own claim.
 */
import type { Cluster } from './cluster/cluster.ts'
import { LabError } from './errors.ts'
import type { Narrator } from './report/narrator.ts'

/** One option of a command line: how it is written, what it is for, and how it is read. */
export interface OptionSpec<T> {
  /** `--fault <fault>`, `--no-rejoin` */
  readonly flags: string
  readonly description: string
  readonly default?: T
  /** @throws LabError USAGE */
  parse(value: unknown): T
}

export type OptionSpecs = Readonly<Record<string, OptionSpec<unknown>>>
export type OptionValues<O extends OptionSpecs> = {
  readonly [K in keyof O]: O[K] extends OptionSpec<infer T> ? T : never
}

export interface DemoContext<O extends OptionSpecs> {
  /** Up and well: one primary, every other node streaming from it. */
  readonly cluster: Cluster
  readonly narrate: Narrator
  readonly signal: AbortSignal
  readonly options: OptionValues<O>
}

export interface DemoDescription<O extends OptionSpecs> {
  readonly name: string
  readonly title: string
  /** One line, for lists and help. */
  readonly summary: string
  readonly options: O
}

export interface Demo<O extends OptionSpecs = OptionSpecs> extends DemoDescription<O> {
  /** What it returns is its `--json` document. */
  run(context: DemoContext<O>): Promise<unknown>
}

/** Declares a demo. Nothing runs until a command, or a test, runs it. */
export const demo = <O extends OptionSpecs>(
  description: DemoDescription<O>,
  run: (context: DemoContext<O>) => Promise<unknown>,
): Demo<O> => ({ ...description, run })

/** An option that is one of several words. */
export const choice = <T extends string>(
  flags: string,
  words: readonly [T, ...T[]],
  description: string,
): OptionSpec<T> => ({
  flags,
  description: `${description}: ${words.join(' or ')}`,
  default: words[0],
  parse: value => {
    const word = words.find(candidate => candidate === value)
    if (word !== undefined) return word
    throw new LabError('USAGE', `${flags.split(' ')[0]} is "${String(value)}"`, {
      hint: `It is ${words.join(' or ')}.`,
    })
  },
})

/** An option with any text; undefined when it is not given. */
export const text = (flags: string, description: string): OptionSpec<string | undefined> => ({
  flags,
  description,
  // the parser of the command line makes a number of what looks like one
  parse: value => (typeof value === 'string' || typeof value === 'number' ? String(value) : undefined),
})

/** `--json` is false unless given, `--no-rejoin` makes `rejoin` false. */
export const flag = (flags: string, description: string): OptionSpec<boolean> => ({
  flags,
  description,
  parse: value => value === true,
})

/** A whole number within limits. */
export const count = (
  flags: string,
  { min, max, standard }: { readonly min: number; readonly max: number; readonly standard: number },
  description: string,
): OptionSpec<number> => ({
  flags,
  description,
  default: standard,
  parse: value => {
    const number = Number(value)
    if (Number.isInteger(number) && number >= min && number <= max) return number
    throw new LabError('USAGE', `${flags.split(' ')[0]} is "${String(value)}"`, {
      hint: `It is a whole number from ${min} to ${max}.`,
    })
  },
})
