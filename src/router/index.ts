/**
 * `pg-failover-lab/router`: a pool of node-postgres that follows the primary through a failover, and reads your writes from
 * standbys. It knows nothing of the lab.
 */
export { createRouter, Router } from './router.ts'
export type { HoldOptions, NodeState, PrimaryChange, RouterStatus } from './router.ts'
export type { HostAndPort, RouterOptions } from './options.ts'
export type { ReadFrom, ReadOptions } from './reads.ts'
export type { Lag, ReadLimits } from './standbys.ts'
export type { Statement, WriteCounts, WriteOptions, Written } from './writes.ts'
export type { ReadToken } from './token.ts'
export { IndeterminateWriteError, RouterError, routerErrorCodes, type RouterErrorCode } from './errors.ts'
