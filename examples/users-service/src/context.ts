/**
 * What the parts of the service have in common.
 */
import type { Router } from 'pg-failover-lab/router'
import type { Configuration } from './configuration.ts'
import type { listUsers } from './users.ts'

type Arguments = Parameters<typeof listUsers>

export interface Context {
  readonly configuration: Configuration
  readonly router: Router
  /** From the cache where there is one. */
  readonly lists: (page: Arguments[1], limits: Arguments[2]) => ReturnType<typeof listUsers>
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The subject of the JWT; empty where none is asked for. */
    caller: string
  }
  interface FastifyReply {
    /** `host:port` of the server that answered, or `cache`. */
    servedBy: string | undefined
  }
}
