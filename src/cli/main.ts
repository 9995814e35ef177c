#!/usr/bin/env node
/**
 * The command line's door: `pg-failover-lab <command>`, or `pnpm run <command>`. It imports nothing, so that an older Node is
 * told in words what it lacks.
 */
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(
    `error: this is Node ${process.versions.node}, and pg-failover-lab needs 20.19 or later\nhint: https://nodejs.org/en/download\n`,
  )
  process.exit(1)
}
await import('./run.ts')
