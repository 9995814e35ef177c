/**
 * A program that uses the library as a test of somebody else's would, to be killed: makes a temporary cluster, tells its
 * project, and does not end.
 */
import { startTemporaryCluster } from '../../src/index.ts'

const timeoutMs = 90_000
const cluster = await startTemporaryCluster({ timeoutMs, name: process.argv[2] })
process.stdout.write(`${cluster.topology.project}\n`)
setInterval(() => undefined, timeoutMs)
