/**
 * What a demo is: a lesson which does its thing for real, narrates it, and asserts its own claim.
 */
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Cluster } from './cluster/cluster.ts'
import { LabError, messageOf } from './errors.ts'
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
  readonly step: Step
}

/**
 * Begins a step: what is done, why, and what to try by hand at its end. With `--step` it waits there, so it is awaited.
 */
export type Step = (what: string, why?: string, byHand?: readonly string[]) => Promise<void>

export interface DemoDescription<O extends OptionSpecs> {
  readonly name: string
  readonly title: string
  /** What it answers, in a sentence. */
  readonly question: string
  /** A paragraph: what whoever has seen it knows now. */
  readonly learnt: string
  /** One line, for lists and help. */
  readonly summary: string
  /** What it shows is not so while commits wait for a standby: meanwhile they do not. */
  readonly replication?: 'asynchronous'
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
  parse: value => wordsOf(value).at(-1),
})

/** An option with a file to write: that it can be is looked at before the work, not found out after it. */
export const outputFile = (flags: string, description: string): OptionSpec<string | undefined> => ({
  flags,
  description,
  parse: value => {
    const file = wordsOf(value).at(-1)
    if (file === undefined) return undefined
    try {
      accessSync(dirname(resolve(file)), constants.W_OK)
      if (existsSync(file)) accessSync(file, constants.W_OK)
      if (!existsSync(file) || statSync(file).isFile()) return file
    } catch (error) {
      throw cannotWrite(file, messageOf(error), error)
    }
    throw cannotWrite(file, 'it is no file')
  },
})

const cannotWrite = (file: string, why: string, cause?: unknown): LabError =>
  new LabError('USAGE', `cannot write ${file}: ${why}`, {
    hint: 'Name a file in a folder that is there and can be written to.',
    cause,
  })

/** `--json` is false unless given, `--no-rejoin` makes `rejoin` false. */
export const flag = (flags: string, description: string): OptionSpec<boolean> => ({
  flags,
  description,
  parse: value => (value === undefined ? flags.startsWith('--no-') : value === true),
})

/** An option that may be given several times. */
export const texts = (flags: string, description: string): OptionSpec<readonly string[]> => ({
  flags,
  description,
  parse: wordsOf,
})

/** The parser of the command line makes a list of what is given twice, and a number of what looks like one. */
const wordsOf = (value: unknown): string[] =>
  [value].flat().flatMap(word => (typeof word === 'string' || typeof word === 'number' ? [String(word)] : []))

interface Limits {
  readonly min: number
  readonly max: number
  readonly standard?: number
}

/** A whole number within limits; without a standard it may be left out. */
export function count(
  flags: string,
  limits: Limits & { readonly standard: number },
  description: string,
): OptionSpec<number>
export function count(flags: string, limits: Limits, description: string): OptionSpec<number | undefined>
export function count(
  flags: string,
  { min, max, standard }: Limits,
  description: string,
): OptionSpec<number | undefined> {
  return {
    flags,
    description,
    ...(standard === undefined ? {} : { default: standard }),
    parse: value => {
      if (value === undefined) return standard
      const given = wordsOf(value).join()
      const number = /^\d+$/.test(given) ? Number(given) : NaN
      if (number >= min && number <= max) return number
      throw new LabError('USAGE', `${flags.split(' ')[0]} is "${given}"`, {
        hint: `It is a whole number from ${min} to ${max}.`,
      })
    },
  }
}

/** An option with several words out of a list, `on,local`; all of them when it is not given. */
export const list = <T extends string>(
  flags: string,
  words: readonly T[],
  description: string,
): OptionSpec<readonly T[]> => ({
  flags,
  description: `${description}, with commas: ${words.join(',')} (default: all)`,
  parse: value => {
    if (value === undefined) return words
    const given = wordsOf(value).flatMap(word => word.split(','))
    const stranger = given.find(word => !words.some(known => known === word))
    if (stranger === undefined) return words.filter(word => given.includes(word))
    throw new LabError('USAGE', `${flags.split(' ')[0]} has "${stranger}"`, {
      hint: `It takes ${words.join(', ')}, with commas between.`,
    })
  },
})

/** Of every demo that changes the roles under load. */
export const trialOptions = {
  rate: count('--rate <n>', { min: 1, max: 10_000, standard: 200 }, 'writes a second'),
  connections: count('--connections <n>', { min: 1, max: 50, standard: 4 }, 'connections that write'),
  trials: count('--trials <n>', { min: 1, max: 1_000, standard: 1 }, 'do it so often, and tell the spread'),
  report: outputFile('--report <file>', 'write a page with plots, HTML in one file'),
  history: outputFile('--history <file>', 'keep every write and its outcome, as JSON Lines'),
}
