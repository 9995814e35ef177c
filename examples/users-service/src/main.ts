/**
 * The process, configured by its environment alone.
 */
import { ConfigurationError, readConfiguration, type Configuration } from './configuration.ts'
import { run } from './run.ts'

function configured(): Configuration {
  try {
    return readConfiguration(process.env)
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    process.stderr.write(`error: ${error.message}\nhint: README.md has a table of all variables.\n`)
    process.exit(2)
  }
}

await run(configured())
