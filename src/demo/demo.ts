/**
 * What a demo is: a lesson which does its thing for real, narrates it, and asserts its own claim.
 */
import type { Cluster } from '../cluster/cluster.ts'
import type { OptionSpecs, OptionValues } from '../options/options.ts'
import type { Narrator } from '../report/narrator.ts'

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
  run(context: DemoContext<O>): Promise<object | undefined>
}

/** Declares a demo. Nothing runs until a command, or a test, runs it. */
export const demo = <O extends OptionSpecs>(
  description: DemoDescription<O>,
  run: (context: DemoContext<O>) => Promise<object | undefined>,
): Demo<O> => ({ ...description, run })
