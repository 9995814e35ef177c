/**
 * The options of a command line: how each is written, what it is for, and how what was typed is read.
 */
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { LabError, messageOf } from '../errors.ts'
import { parseDuration } from '../postgres/duration.ts'
import { targetOf } from '../report/whole-file.ts'

/** One option of a command line: how it is written, what it is for, and how it is read. */
export interface OptionSpec<T> {
  /** `--fault <fault>`, `--no-rejoin` */
  readonly flags: string
  readonly description: string
  readonly default?: T
  /** The words that it is one of. */
  readonly choices?: readonly string[]
  /** It names a file that is written. */
  readonly isFile?: boolean
  /** @throws LabError USAGE */
  parse(given: Given): T
}

/** What was typed: true for an option without a value, else its values, as text; undefined when it was not given. */
export type Given = readonly string[] | boolean | undefined

export type OptionSpecs = Readonly<Record<string, OptionSpec<unknown>>>
export type OptionValues<O extends OptionSpecs> = {
  readonly [K in keyof O]: O[K] extends OptionSpec<infer T> ? T : never
}

/** An option that is one of several words. */
export const choiceOption = <T extends string>(
  flags: string,
  words: readonly [T, ...T[]],
  description: string,
): OptionSpec<T> => ({
  flags,
  description: `${description}: ${words.join(' or ')}`,
  default: words[0],
  choices: words,
  parse: given => choiceOfWord(flags.split(' ')[0] ?? '', words, wordsOf(given).at(-1) ?? words[0]),
})

/** One of these words. @throws LabError USAGE */
export function choiceOfWord<T extends string>(what: string, words: readonly T[], typed: string | undefined): T {
  const word = words.find(candidate => candidate === typed)
  if (word !== undefined) return word
  const fact = typed === undefined ? `${what} is missing` : `${what} is "${typed}"`
  throw new LabError('USAGE', fact, { hint: `It is ${words.join(' or ')}.` })
}

/** An option with any text; undefined when it is not given. */
export const textOption = (flags: string, description: string): OptionSpec<string | undefined> => ({
  flags,
  description,
  parse: value => wordsOf(value).at(-1),
})

/** An option with a file to write: that it can be is looked at before the work, not found out after it. */
export const fileOption = (flags: string, description: string): OptionSpec<string | undefined> => ({
  flags,
  description,
  isFile: true,
  parse: value => {
    const file = wordsOf(value).at(-1)
    if (file === undefined) return undefined
    try {
      const target = targetOf(file)
      accessSync(dirname(target), constants.W_OK)
      if (existsSync(target)) accessSync(target, constants.W_OK)
      if (!existsSync(target) || statSync(target).isFile()) return file
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
export const flagOption = (flags: string, description: string): OptionSpec<boolean> => ({
  flags,
  description,
  parse: value => (value === undefined ? flags.startsWith('--no-') : value === true),
})

/** An option that may be given several times. */
export const textsOption = (flags: string, description: string): OptionSpec<readonly string[]> => ({
  flags,
  description,
  parse: wordsOf,
})

const wordsOf = (given: Given): readonly string[] => (typeof given === 'object' ? given : [])

interface Limits {
  readonly min: number
  readonly max: number
  readonly standard?: number
}

/** A whole number within limits; without a standard it may be left out. */
export function countOption(
  flags: string,
  limits: Limits & { readonly standard: number },
  description: string,
): OptionSpec<number>
export function countOption(flags: string, limits: Limits, description: string): OptionSpec<number | undefined>
export function countOption(
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
      const given = wordsOf(value).at(-1) ?? ''
      const number = /^\d+$/.test(given) ? Number(given) : NaN
      if (number >= min && number <= max) return number
      throw new LabError('USAGE', `${flags.split(' ')[0]} is "${given}"`, {
        hint: `It is a whole number from ${min} to ${max}.`,
      })
    },
  }
}

/** An option with a time: `30s`. Milliseconds; without a standard it may be left out. */
export function durationOption(flags: string, standard: string, description: string): OptionSpec<number>
export function durationOption(flags: string, standard: undefined, description: string): OptionSpec<number | undefined>
export function durationOption(
  flags: string,
  standard: string | undefined,
  description: string,
): OptionSpec<number | undefined> {
  return {
    flags,
    description: standard === undefined ? description : `${description} (default: ${standard})`,
    parse: value => {
      const given = wordsOf(value).at(-1) ?? standard
      return given === undefined ? undefined : durationOf(flags.split(' ')[0] ?? '', given)
    },
  }
}

/** A number and a unit; a number alone would be milliseconds to PostgreSQL, and seconds to others. @throws LabError USAGE */
export function durationOf(what: string, given: string): number {
  const ms = /[a-z]/.test(given) || given === '0' ? parseDuration(given) : undefined
  if (ms !== undefined) return ms
  throw new LabError('USAGE', `${what} is "${given}"`, {
    hint: 'It is a number and a unit, as PostgreSQL takes it: 500ms, 30s, 5min, 1h.',
  })
}

/** An option with an amount of memory, in PostgreSQL's units: `16MB`; bytes without one. Undefined when it is not given. */
export const sizeOption = (flags: string, description: string): OptionSpec<number | undefined> => ({
  flags,
  description,
  parse: value => {
    const given = wordsOf(value).at(-1)
    if (given === undefined) return undefined
    const [, number, unit = 'B'] = /^(\d{1,12})(B|kB|MB|GB|TB)?$/.exec(given) ?? []
    if (number !== undefined) return Number(number) * 1024 ** UNITS.indexOf(unit)
    throw new LabError('USAGE', `${flags.split(' ')[0]} is "${given}"`, {
      hint: 'It is 0, 8kB, 16MB, 1GB and the like.',
    })
  },
})

/** https://www.postgresql.org/docs/current/config-setting.html#CONFIG-SETTING-NAMES-VALUES: the multiplier is 1024. */
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB']

/** An option with several words out of a list, `on,local`; all of them when it is not given. */
export const listOption = <T extends string>(
  flags: string,
  words: readonly T[],
  description: string,
): OptionSpec<readonly T[]> => ({
  flags,
  description: `${description}, with commas: ${words.join(',')} (default: all)`,
  choices: words,
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
