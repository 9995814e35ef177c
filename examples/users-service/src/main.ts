/**
 * The process: configuration from the environment, and an end that cuts nobody off.
 */
import { ConfigurationError, readConfiguration, type Configuration } from './configuration.ts'
import { messageOf } from './limit.ts'
import { createService } from './service.ts'

function configuration(): Configuration {
  try {
    return readConfiguration(process.env)
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    process.stderr.write(`error: ${error.message}\nhint: README.md has a table of all variables.\n`)
    process.exit(2)
  }
}

const { listen, ...rest } = configuration()
const service = await createService({ listen, ...rest })

async function end(signal: NodeJS.Signals): Promise<void> {
  service.app.log.info({ signal }, 'ending: no more requests are accepted')
  const { cutOff } = await service.end()
  service.app.log.info({ cutOff }, 'ended')
  // What still waits for a database that does not answer is not waited for.
  process.exit(cutOff === 0 ? 0 : 1)
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    void end(signal)
    // Whoever asks twice does not want to wait.
    process.once(signal, () => process.exit(1))
  })
}

try {
  await service.app.listen(listen)
} catch (error) {
  process.stderr.write(`error: ${messageOf(error)}\n`)
  await service.end()
  process.exitCode = 1
}
