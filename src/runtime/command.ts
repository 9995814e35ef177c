/**
 * Running other programs: always with a signal, never through a shell, output captured.
 */
import { spawn } from 'node:child_process'
import { codeOf, interrupted, LabError } from '../errors.ts'
import { seconds } from '../wait.ts'
import type { CommandResult } from './runtime.ts'

export interface CommandOptions {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly cwd?: string | undefined
  /** Run as this user; needs root. */
  readonly account?: { readonly uid: number; readonly gid: number } | undefined
  readonly input?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** Limit in milliseconds. @default 60000 */
  readonly timeoutMs?: number | undefined
  /** Told of each line on stderr as it comes, for progress. */
  readonly onLine?: ((line: string) => void) | undefined
}

/**
 * Runs a program to its end. A non-zero exit is an answer, not an error.
 * @throws LabError INTERRUPTED when the signal fires, and TIMEOUT at the limit, once the program has ended for it; USAGE if the
 * program cannot be started, PROGRAM_MISSING if there is none.
 */
export function run(argv: readonly [string, ...string[]], options: CommandOptions): Promise<CommandResult> {
  const { environment, cwd, account, input, signal, timeoutMs = 60_000, onLine } = options
  const [file, ...args] = argv
  return new Promise((resolve, reject) => {
    const limit = AbortSignal.timeout(Math.ceil(timeoutMs))
    const either = signal === undefined ? limit : AbortSignal.any([signal, limit])
    const child = spawn(file, args, {
      env: environment,
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      ...(cwd === undefined ? {} : { cwd }),
      signal: either,
      ...account,
    })
    // What does not heed being asked is killed: a limit that waits for ever is none.
    const kill = (): void => void setTimeout(() => child.kill('SIGKILL'), GRACE_MS).unref()
    either.addEventListener('abort', kill, { once: true })
    const output = { stdout: '', stderr: '' }
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (output.stdout += chunk))
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      output.stderr += chunk
      if (onLine !== undefined) chunk.split('\n').filter(Boolean).forEach(onLine)
    })
    child.stdin?.on('error', () => undefined) // EPIPE: the program ended early, and its exit code says so
    child.stdin?.end(input)
    child.once('error', error => {
      // It was told to end, and has when it is closed: whoever cleans up after it must not be faster.
      if (either.aborted && child.pid !== undefined) return
      if (signal?.aborted) reject(interrupted(error))
      else reject(cannotRun(file, error))
    })
    child.once('close', (exitCode, killedBy) => {
      either.removeEventListener('abort', kill)
      if (signal?.aborted) reject(interrupted(signal.reason))
      else if (limit.aborted)
        reject(new LabError('TIMEOUT', `${file} did not end within ${seconds(timeoutMs)}, and was told to`))
      else resolve({ ...output, exitCode: exitCode ?? (killedBy === null ? 1 : 128) })
    })
  })
}

/** Most often it is not installed. Where a working folder is gone, node says ENOENT of the program, too. */
const cannotRun = (file: string, error: Error): LabError =>
  codeOf(error) === 'ENOENT' && !file.includes('/')
    ? new LabError('PROGRAM_MISSING', `${file} is needed, and is in no folder of PATH`, {
        hint: `Install ${file}, or add its folder to PATH.`,
        cause: error,
      })
    : new LabError('USAGE', `cannot run ${file}: ${codeOf(error) ?? error.message}`, { cause: error })

/** Docker Compose lets what it has begun end first. */
const GRACE_MS = 10_000

/** The last lines that say something, for an error message. */
export const lastLines = (text: string, count: number): string => text.trimEnd().split('\n').slice(-count).join('\n')
