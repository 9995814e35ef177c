/**
 * The service as a process: it listens, and ends at SIGTERM and Ctrl-C without cutting anybody off.
 */
import type { Configuration } from './configuration.ts'
import { messageOf } from './limit.ts'
import { createService, type Service } from './service.ts'

/** A terminal sends Ctrl-C to everything in the foreground, and a program that starts another may pass it on: one is meant. */
const SAME_SIGNAL_MS = 1_000

/** @returns where it listens; undefined where it cannot, and the exit code is 1 */
export async function run(configuration: Configuration): Promise<string | undefined> {
  const service = await createService(configuration)
  endAtSignal(service)
  try {
    return await service.app.listen(configuration.listen)
  } catch (error) {
    process.stderr.write(`error: ${messageOf(error)}\n`)
    await service.end()
    process.exitCode = 1
    return undefined
  }
}

function endAtSignal(service: Service): void {
  const { app } = service
  let since: number | undefined
  const onSignal = (signal: NodeJS.Signals): void => {
    // Whoever asks twice does not want to wait.
    if (since !== undefined && performance.now() - since > SAME_SIGNAL_MS) process.exit(1)
    if (since !== undefined) return
    since = performance.now()
    app.log.info({ signal }, 'ending: no more requests are accepted')
    void service.end().then(({ cutOff }) => {
      app.log.info({ cutOff }, 'ended')
      // What still waits for a database that does not answer is not waited for.
      process.exit(cutOff === 0 ? 0 : 1)
    })
  }
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal)
}
