/**
 * Which programs ran, and with what arguments: looked at while they run, for afterwards nobody can tell.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { run } from '../../src/runtime/command.ts'
import { pause } from '../../src/wait.ts'

/** A psql takes four times as long. */
const LOOK_EVERY_MS = 5

/** Notes the command lines of all processes of this machine, those in its containers too, until it is disposed of. */
export function watchCommandLines(): AsyncDisposable & { readonly seen: ReadonlySet<string> } {
  const seen = new Set<string>()
  const end = new AbortController()
  const watching = watch(seen, end.signal)
  return {
    seen,
    [Symbol.asyncDispose]: async () => {
      end.abort()
      await watching
    },
  }
}

async function watch(seen: Set<string>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const line of await commandLines()) seen.add(line)
    await pause(LOOK_EVERY_MS)
  }
}

async function commandLines(): Promise<string[]> {
  if (process.platform !== 'linux')
    return (await run(['ps', '-A', '-o', 'args='], { environment: process.env })).stdout.split('\n')
  return readdirSync('/proc').flatMap(name => (/^\d+$/.test(name) ? [commandLine(name)] : []))
}

/** Empty for a process that has ended meanwhile. */
function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}
