/**
 * The command line, compiled once for the run: through tsx each command would compile it anew, which takes longer than most
 * of them.
 */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from '../../src/runtime/command.ts'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Inside the project: there it finds the compose file, and its dependencies. */
const FOLDER = join(ROOT, 'node_modules', '.lab-test', String(process.env['LAB_TEST_RUN']))

/** The program and its first argument. */
export const CLI = [process.execPath, join(FOLDER, 'src', 'cli', 'main.js')] as const

/** Its types are checked by `pnpm run check`. */
export async function buildCli(): Promise<void> {
  if (existsSync(FOLDER)) return
  const scratch = `${FOLDER}.${randomBytes(4).toString('hex')}`
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
  const options = ['--noCheck', '--declaration', 'false', '--sourceMap', 'false', '--outDir', scratch]
  const argv = [process.execPath, tsc, '--project', join(ROOT, 'tsconfig.build.json'), ...options] as const
  const { exitCode, stdout, stderr } = await run([...argv], { environment: process.env })
  if (exitCode !== 0) throw new Error(`the command line cannot be compiled: ${stdout}${stderr}`)
  await rename(scratch, FOLDER).catch(() => rm(scratch, { recursive: true })) // the other project of this run was faster
}

export const removeCli = (): Promise<void> => rm(FOLDER, { recursive: true, force: true })
