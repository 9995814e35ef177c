/**
 * A program that takes over the terminal: psql.
 */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { withoutLibpq } from '../runtime/libpq-environment.ts'
import type { ForegroundCommand } from '../runtime/runtime.ts'
import type { CommandContext } from './command.ts'

/** Whether a person types, and reads. */
export const isTerminal = (): boolean => process.stdin.isTTY && process.stdout.isTTY

/** Runs it, and returns its exit code as a shell counts it. Ctrl-C is for it alone. */
export function runInForeground(
  { argv: [file, ...args], environment, account, cwd }: ForegroundCommand,
  { terminal, interrupt }: Pick<CommandContext, 'terminal' | 'interrupt'>,
): Promise<number> {
  terminal.idle()
  interrupt.leaveToChild()
  return new Promise((resolve, reject) => {
    const env = { ...withoutLibpq(process.env), ...environment }
    const child = spawn(file, args, { stdio: 'inherit', env, cwd, uid: account?.uid, gid: account?.gid })
    child.once('error', reject)
    child.once('close', (code, killedBy) =>
      resolve(code ?? 128 + (killedBy === null ? 0 : constants.signals[killedBy])),
    )
  })
}
