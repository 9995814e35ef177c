/**
 * The command line as people use it: a process of its own, and a cluster that it manages.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { constants } from 'node:os'
import { expect } from 'vitest'
import { openLab, type NodeStatus } from '../../src/index.ts'
import { freePorts, upFromTemplate } from '../../src/temporary-cluster.ts'
import { run } from '../../src/runtime/command.ts'
import { met, notMet, waitUntil } from '../../src/wait.ts'
import { CLI, ROOT } from './built-cli.ts'
import { TEST_PREFIX, TIMEOUT_MS, testEnvironment, type TestRuntime } from './runtimes.ts'

export { ROOT }

export type Environment = Readonly<Record<string, string | undefined>>

export interface CliResult {
  /** As a shell counts it: 128 and the signal's number for a process that a signal ended. */
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** One command line while it runs. It leads a process group, as the foreground job of a terminal does. */
export class Invocation {
  /** Settles when the process has ended and its output has been read. */
  readonly ended: Promise<CliResult>
  readonly #child: ChildProcess
  #stdout = ''
  #stderr = ''

  constructor(args: readonly string[], environment: Environment, limitMs = TIMEOUT_MS) {
    const [program, main] = CLI
    this.#child = spawn(program, [main, ...args], {
      cwd: ROOT,
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    this.#child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (this.#stdout += chunk))
    this.#child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (this.#stderr += chunk))
    // A command that hangs is ended, and fails its test with what it had printed.
    const limit = setTimeout(() => this.#signal('SIGKILL'), limitMs)
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject)
      this.#child.once('close', (code, signal) => {
        clearTimeout(limit)
        const exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal])
        resolve({ exitCode, stdout: this.#stdout, stderr: this.#stderr })
      })
    })
  }

  get output(): string {
    return this.#stdout + this.#stderr
  }

  /** Waits until its output has `text`, or until it has ended without. */
  async shows(text: string, timeoutMs = TIMEOUT_MS): Promise<void> {
    const what = `the command to print "${text}"`
    const shown = {
      what,
      observe: async () => (this.output.includes(text) || this.hasEnded ? met(undefined) : notMet(this.output)),
    }
    await waitUntil(shown, { timeoutMs, intervalMs: 1 })
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** Ctrl-C in a terminal: SIGINT to everything in the foreground. */
  interrupt(): void {
    this.#signal('SIGINT')
  }

  /** Ctrl-C, for a command with --json that tells what is done by then: its document. */
  async interrupted(): Promise<unknown> {
    this.interrupt()
    const { exitCode, stdout, stderr } = await this.ended
    expect(exitCode, stderr).toBe(130)
    return JSON.parse(stdout)
  }

  /** SIGKILL to the lab's own process: nothing can unwind. */
  kill(): void {
    this.#child.kill('SIGKILL')
  }

  #signal(signal: NodeJS.Signals): void {
    if (!this.hasEnded && this.#child.pid !== undefined) process.kill(-this.#child.pid, signal)
  }
}

export const runCli = (args: readonly string[], environment: Environment): Promise<CliResult> =>
  new Invocation(args, environment).ended

/** Names and ports of a cluster that the command line can manage; gone when it is disposed of. */
export class CliCluster implements AsyncDisposable {
  readonly runtime: TestRuntime
  readonly project: string
  readonly environment: Environment

  private constructor(runtime: TestRuntime, project: string, environment: Environment) {
    this.runtime = runtime
    this.project = project
    this.environment = environment
  }

  /** Starts nothing. */
  static async describe(runtime: TestRuntime, environment: Environment = {}): Promise<CliCluster> {
    const project = `${TEST_PREFIX}-${randomBytes(4).toString('hex')}`
    const names = {
      COMPOSE_PROJECT_NAME: project,
      CONTAINER_PREFIX: project,
      LAB_RUNTIME: runtime === 'docker' ? 'docker' : 'local',
    }
    const [primary, replica1, replica2] = (await freePorts(3)).map(String)
    const ports = { PRIMARY_PORT: primary, REPLICA1_PORT: replica1, REPLICA2_PORT: replica2 }
    return new CliCluster(runtime, project, { ...plainEnvironment(runtime), ...names, ...ports, ...environment })
  }

  /** Describes a cluster, and brings it up: not by a command, which would take longer than the rest. */
  static async up(runtime: TestRuntime, environment: Environment = {}): Promise<CliCluster> {
    const cluster = await CliCluster.describe(runtime, environment)
    await using lab = await openLab({ environment: cluster.environment })
    try {
      await upFromTemplate(lab.cluster, { timeoutMs: TIMEOUT_MS })
      return cluster
    } catch (error) {
      await cluster[Symbol.asyncDispose]()
      throw error
    }
  }

  port(node: string): number {
    return Number(this.environment[`${node.toUpperCase()}_PORT`])
  }

  start(...args: readonly string[]): Invocation {
    return new Invocation(args, this.environment)
  }

  async run(...args: readonly string[]): Promise<CliResult> {
    return await this.start(...args).ended
  }

  async runWith(environment: Environment, ...args: readonly string[]): Promise<CliResult> {
    return await runCli(args, { ...this.environment, ...environment })
  }

  /** Runs a command in a pipe, as a shell does; the exit code is the command's. */
  async piped(command: string, reader: string): Promise<CliResult> {
    const line = `set -o pipefail; '${CLI.join("' '")}' ${command} | ${reader}`
    return await run(['bash', '-c', line], { environment: this.environment, cwd: ROOT })
  }

  /** Runs a command with --json, which must succeed, and returns the one document on its stdout. */
  async json(...args: readonly string[]): Promise<{ readonly document: unknown; readonly narration: string }> {
    const { exitCode, stdout, stderr } = await this.run(...args, '--json')
    expect(exitCode, stdout + stderr).toBe(0)
    return { document: JSON.parse(stdout) as unknown, narration: stderr }
  }

  /** Past the command line. */
  async nodes(): Promise<NodeStatus[]> {
    await using lab = await openLab({ environment: this.environment })
    return await lab.cluster.status()
  }

  /** Whatever has happened to it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await using lab = await openLab({ environment: this.environment })
    await lab.runtime.down({ keepData: false })
  }
}

/** The fact and what to do about it, on stderr, and no stack trace. */
export function expectRefusal(
  { exitCode, stdout, stderr }: CliResult,
  expected: { readonly exitCode: 1 | 2; readonly fact: string | RegExp; readonly hint?: string },
): void {
  expect(exitCode, stdout + stderr).toBe(expected.exitCode)
  const [, fact = '', hint = ''] = /^error: (.*)\nhint: (.*)\n$/s.exec(stderr) ?? []
  expect(fact, stderr).toMatch(expected.fact)
  expect(hint, stderr).toMatch(/^([A-Z]|docker |pnpm |pg-failover-lab |--help )/)
  expect(hint).toContain(expected.hint ?? '')
  expect(stderr, 'a stack trace').not.toMatch(/^ +at /m)
}

/** Fails unless one node is primary and every other one streams, on one timeline; returns the primary's name. */
export async function expectAllStreaming(
  cluster: CliCluster,
  { replicas = 2 }: { readonly replicas?: number } = {},
): Promise<string> {
  const nodes = await cluster.nodes()
  const seen = nodes.map(node => (node.role === 'standby' ? `standby ${node.walReceiver?.status}` : node.role)).sort()
  expect(seen).toEqual(['primary', ...Array.from({ length: replicas }, () => 'standby streaming')])
  expect(
    new Set(nodes.map(node => (node.role === 'unreachable' ? undefined : node.timeline))).size,
    'one timeline',
  ).toBe(1)
  return nodes.find(({ role }) => role === 'primary')!.name
}

/** The test runner's own settings for colour and such are not what a person's shell has. */
function plainEnvironment(runtime: TestRuntime): Environment {
  const inherited = Object.entries(testEnvironment(runtime)).filter(
    ([name]) => !/^(FORCE_COLOR|NO_COLOR|CI|NODE_OPTIONS|VITEST.*|TEST|NODE_ENV|LAB_COMPOSE_FILE)$/.test(name),
  )
  return Object.fromEntries(inherited)
}
