/**
 * What tests do with servers past the lab.
 */
import { expect } from 'vitest'
import type { Cluster } from '../../src/index.ts'

/** Runs a line of bash on a stopped node's data, which must succeed, and returns what it printed. */
export async function offline(cluster: Cluster, node: string, script: string): Promise<string> {
  const { exitCode, stdout, stderr } = await cluster.runtime.runOffline(node, ['bash', '-c', script])
  expect({ exitCode, stderr }, script).toEqual({ exitCode: 0, stderr: '' })
  return stdout
}

/** The process ids of the postmaster and all its children, as the server itself knows them. */
export async function serverProcesses(cluster: Cluster, node: string): Promise<number[]> {
  const rows = await cluster.query<{ pid: number }>(
    node,
    `SELECT pid FROM pg_stat_activity UNION SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int`,
    { as: 'superuser' },
  )
  return rows.map(({ pid }) => pid)
}
