/**
 * Where the lab keeps what must outlive a command.
 */
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Variables } from '../topology/interpolation.ts'

/** LAB_STATE_DIR, else root's and everybody else's usual place. https://specifications.freedesktop.org/basedir-spec/latest/ */
export function stateFolder(variables: Variables): string {
  const home = process.getuid?.() === 0 ? '/var/lib' : stateHome(variables)
  return variables['LAB_STATE_DIR'] || join(home, 'pg-failover-lab')
}

const stateHome = (variables: Variables): string =>
  variables['XDG_STATE_HOME'] || join(variables['HOME'] || homedir(), '.local', 'state')
