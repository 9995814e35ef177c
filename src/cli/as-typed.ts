/**
 * Texts name commands as `pnpm run <command>`. Who has typed something else is told what they can type.
 * https://docs.npmjs.com/cli/using-npm/scripts#environment
 */
import type { Variables } from '../topology/compose/interpolation.ts'

/** Says it the way this process was started: by a script of this package, by npx, or by the program's own name. */
export function asTyped(environment: Variables): (text: string) => string {
  const prefix = prefixOf(environment)
  if (prefix === 'pnpm run ') return text => text
  return text => (prefix === 'npm run ' ? withDashes(text) : text).replaceAll('pnpm run ', prefix)
}

function prefixOf(environment: Variables): string {
  const manager = (environment['npm_config_user_agent'] ?? '').split('/')[0] ?? ''
  const isExec = environment['npm_command'] === 'exec'
  const isScript = environment['npm_lifecycle_event'] !== undefined && !isExec
  const isOwnScript = isScript && environment['npm_package_name'] === 'pg-failover-lab'
  if (isOwnScript) return `${['npm', 'yarn', 'bun'].includes(manager) ? manager : 'pnpm'} run `
  if (isExec) return manager === 'pnpm' ? 'pnpm exec pg-failover-lab ' : 'npx pg-failover-lab '
  return 'pg-failover-lab '
}

/** npm takes an option for its own, unless `--` comes before. */
const withDashes = (text: string): string =>
  text.replace(/(pnpm run [a-z-]+(?: (?!-)[\w.<>]+)*)(?= --?[a-z])/g, '$1 --')
