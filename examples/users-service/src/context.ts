/**
 * What the parts of the service have in common.
 */
import type { Router } from 'pg-failover-lab/router'
import type { Configuration } from './configuration.ts'
import type { Preparation } from './preparation.ts'
import type { listUsers, Page } from './users.ts'

type ListArguments = Parameters<typeof listUsers>

export interface Listed {
  readonly page: Page
  /** `host:port`, or `cache`. */
  readonly node: string
  /** Or how old it is, and from which server. */
  readonly role: string
}

export interface Context {
  readonly configuration: Configuration
  readonly router: Router
  readonly preparation: Preparation
  readonly isEnding: () => boolean
  /** From the cache where there is one. */
  readonly lists: (wanted: ListArguments[1], limits: ListArguments[2]) => Promise<Listed>
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Requests without an answer yet. */
    inFlight: () => number
  }
  interface FastifyRequest {
    /** The subject of the JWT; empty where none is asked for. */
    caller: string
  }
  interface FastifyReply {
    /** `host:port` of the server that answered, or `cache`. */
    servedBy: string | undefined
  }
}
