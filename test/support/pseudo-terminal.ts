/**
 * The command line in a real pseudo-terminal, which script(1) of util-linux makes, and what is to be seen there.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { stripVTControlCharacters } from 'node:util'
import { run } from '../../src/runtime/command.ts'
import { met, notMet, waitUntil } from '../../src/wait.ts'
import { CLI, ROOT } from './built-cli.ts'
import type { Environment } from './cli.ts'
import { TIMEOUT_MS } from './runtimes.ts'

interface Size {
  readonly columns: number
  readonly rows: number
}

/** A shell runs the command, and says afterwards how it ended and whether the terminal is as it was before. */
const SHELL = `
stty cols "$COLUMNS_WANTED" rows "$ROWS_WANTED"
before=$(stty -g)
echo "tty=$(tty)"
sh -c 'echo "pid=$$"; exec "$@"' sh "$@"
echo "exit=$?"
[ "$(stty -g)" = "$before" ] && echo modes=same || echo modes=changed`

export class PseudoTerminal implements AsyncDisposable {
  /** Settles with everything that was written to the terminal, when the last process on it has ended. */
  readonly ended: Promise<string>
  readonly #child: ChildProcess
  #output = ''
  #hasEnded = false

  constructor(args: readonly string[], environment: Environment, { columns, rows }: Size) {
    const argv = [...CLI, ...args]
    const command = `bash -c "$SHELL_WANTED" shell ${argv.map(word => `'${word}'`).join(' ')}`
    this.#child = spawn('script', ['-qefc', command, '/dev/null'], {
      cwd: ROOT,
      env: {
        ...environment,
        TERM: 'xterm-256color',
        SHELL_WANTED: SHELL,
        COLUMNS_WANTED: String(columns),
        ROWS_WANTED: String(rows),
      },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (this.#output += chunk))
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject)
      this.#child.once('close', () => {
        this.#hasEnded = true
        resolve(this.#output)
      })
    })
  }

  type(keys: string): void {
    this.#child.stdin?.write(keys)
  }

  /** Waits until the frame that is shown is as wanted, and returns its lines. */
  async shows(wanted: string | ((lines: readonly string[]) => boolean)): Promise<readonly string[]> {
    const isWanted =
      typeof wanted === 'string' ? (lines: readonly string[]) => lines.join('\n').includes(wanted) : wanted
    const shown = {
      what: `the terminal to show ${typeof wanted === 'string' ? `"${wanted}"` : 'it'}`,
      observe: async () => {
        const frame = this.frame
        if (isWanted(frame)) return met(frame)
        if (this.#hasEnded) throw new Error(`the command has ended without: ${this.#output}`)
        return notMet(frame.join('\n'))
      },
    }
    return await waitUntil(shown, { timeoutMs: TIMEOUT_MS, intervalMs: 5 })
  }

  /** Waits until that has been printed so often, and returns all that was, without control sequences. */
  async prints(wanted: string, times = 1): Promise<string> {
    const printed = {
      what: `the terminal to print "${wanted}" ${times} times`,
      observe: async () => {
        const text = stripVTControlCharacters(this.#output)
        if (text.split(wanted).length > times) return met(text)
        if (this.#hasEnded) throw new Error(`the command has ended without: ${text}`)
        return notMet(text.slice(-500))
      },
    }
    return await waitUntil(printed, { timeoutMs: TIMEOUT_MS })
  }

  /** The lines of the newest whole frame, without control sequences; none when nothing is drawn. */
  get frame(): readonly string[] {
    const frames = this.#output.split('\x1b[H').slice(1)
    const whole = frames
      .filter(frame => frame.includes('\x1b[J'))
      .at(-1)
      ?.split('\x1b[J')[0]
    // eslint-disable-next-line no-control-regex -- they are what is taken out
    return whole === undefined ? [] : whole.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '').split(/\r+\n/)
  }

  /** The process of the command itself. */
  get pid(): number {
    return Number(/pid=(\d+)/.exec(this.#output)?.[1])
  }

  async resize({ columns, rows }: Size): Promise<void> {
    const device = /tty=(\S+)/.exec(this.#output)?.[1] ?? ''
    const stty = ['stty', '-F', device, 'cols', String(columns), 'rows', String(rows)] as const
    const { exitCode, stderr } = await run(stty, { environment: process.env })
    if (exitCode !== 0) throw new Error(`stty: ${stderr}`)
  }

  /** The window is closed: the terminal goes, and everything on it is told so (SIGHUP). */
  close(): void {
    this.#child.kill('SIGKILL')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
    await this.ended
  }
}
