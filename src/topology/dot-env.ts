/**
 * The `.env` beside docker-compose.yml, as Compose reads it: node's own parser differs in `#`, `$` and backslashes, and a
 * password would then be another one with Docker than without.
 * https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/#env-file-syntax
 */
import { interpolate, type Variables } from './interpolation.ts'

const LINE =
  /^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.]*)[ \t]*[=:][ \t]*('(?:\\'|[^'])*'|"(?:\\.|[^"\\])*"|[^\r\n]*)/gm
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }

/** Names and values. `environment` is for `$NAME` in unquoted and double-quoted values, as are the lines above. */
export function parseDotEnv(text: string, environment: Variables): Record<string, string> {
  const values: Record<string, string> = {}
  for (const [, name = '', raw = ''] of text.matchAll(LINE))
    values[name] = parseValue(raw, { ...values, ...environment })
  return values
}

function parseValue(raw: string, variables: Variables): string {
  const inner = raw.slice(1, -1)
  if (raw.startsWith("'") && raw.length > 1) return inner.replaceAll("\\'", "'")
  if (raw.startsWith('"') && raw.length > 1) {
    return interpolate(inner, variables).replace(/\\(.)/gs, (_, character: string) => ESCAPES[character] ?? character)
  }
  return interpolate(raw.replace(/(^|[ \t])#.*$/, '').trim(), variables)
}
