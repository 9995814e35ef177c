/**
 * The tables are made in the background: a service that starts while there is no primary answers what it can, and says so.
 */
import type { FastifyBaseLogger } from 'fastify'
import type { Router } from 'pg-failover-lab/router'
import type { Configuration } from './configuration.ts'
import { messageOf, pause } from './limit.ts'
import { isMigrated, migrate } from './migration.ts'

const BETWEEN_ATTEMPTS_MS = 500

export class Preparation {
  /** Settles when the tables are there, or the service ends. */
  readonly done: Promise<void>
  #seen = 'no server was asked yet'
  #isReady = false

  constructor(router: Router, { configuration, log, signal }: PreparationOptions) {
    this.done = this.#prepare(router, { configuration, log, signal })
  }

  get isReady(): boolean {
    return this.#isReady
  }

  /** What `isReady` is based on. */
  get seen(): string {
    return this.#seen
  }

  async #prepare(router: Router, { configuration, log, signal }: PreparationOptions): Promise<void> {
    while (!signal.aborted && !this.#isReady) {
      try {
        this.#seen = await prepareOnce(router, configuration)
        this.#isReady = true
      } catch (error) {
        this.#seen = messageOf(error)
        log.warn({ err: error }, 'the tables could not be made yet')
        await pause(BETWEEN_ATTEMPTS_MS, signal)
      }
    }
  }
}

interface PreparationOptions {
  readonly configuration: Configuration
  readonly log: FastifyBaseLogger
  readonly signal: AbortSignal
}

/** On the primary; where there is none, a standby may have them already. */
async function prepareOnce(router: Router, configuration: Configuration): Promise<string> {
  try {
    await migrate(router, configuration)
    return 'the tables were made, or found, on the primary'
  } catch (error) {
    if (await isMigrated(router).catch(() => false)) return 'the tables are there on a standby'
    throw error
  }
}
