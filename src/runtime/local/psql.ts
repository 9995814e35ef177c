/**
 * psql on this machine: the one beside the servers' programs, else the one in PATH.
 */
import { join } from 'node:path'
import type { Topology } from '../../topology/topology.ts'
import type { Binaries } from '../binaries.ts'
import { run } from '../command.ts'
import { PLAIN_CONNECTION } from '../libpq-environment.ts'
import type { Endpoint, ForegroundCommand } from '../runtime.ts'

interface PsqlOptions {
  readonly topology: Topology
  readonly at: Endpoint
  readonly args: readonly string[]
}

/** How to open it as the superuser; undefined where there is none. */
export async function psqlCommand(
  { directory, programs }: Binaries,
  { topology: { superuser, database }, at: { host, port }, args }: PsqlOptions,
): Promise<ForegroundCommand | undefined> {
  const installed = programs.has('psql') ? join(directory, 'psql') : 'psql'
  const version = await run([installed, '--version'], { environment: process.env }).catch(() => ({ exitCode: 1 }))
  if (version.exitCode !== 0) return undefined
  return {
    argv: [installed, '-h', host, '-p', String(port), '-U', superuser.user, '-d', database, ...args],
    environment: { ...PLAIN_CONNECTION, PGPASSWORD: superuser.password },
  }
}
