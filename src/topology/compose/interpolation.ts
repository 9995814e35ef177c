/**
 * `${VARIABLE:-default}` in docker-compose.yml, as Compose reads it:
 * https://docs.docker.com/reference/compose-file/interpolation/
 */
import { LabError } from '../../errors.ts'

export type Variables = Readonly<Record<string, string | undefined>>

/**
 * Replaces `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:?message}`, `${NAME?message}`,
 * `${NAME:+other}`, `${NAME+other}` and `$$`. Defaults may nest. A dollar sign before anything else is one, and a variable with
 * neither value nor default is empty.
 * @throws LabError UNKNOWN_VARIABLE, COMPOSE_FILE_INVALID
 */
export function interpolate(text: string, variables: Variables): string {
  let result = ''
  let at = 0
  while (at < text.length) {
    const dollar = text.indexOf('$', at)
    if (dollar === -1) return result + text.slice(at)
    result += text.slice(at, dollar)
    const [value, next] = expression(text, dollar + 1, variables)
    result += value
    at = next
  }
  return result
}

/** Reads what follows a `$`: its value, and where the text goes on. */
function expression(text: string, at: number, variables: Variables): readonly [value: string, next: number] {
  if (text[at] === '$') return ['$', at + 1]
  if (text[at] === '{') {
    const end = closingBrace(text, at)
    return [braced(text.slice(at + 1, end), variables), end + 1]
  }
  const name = /^[A-Za-z_][A-Za-z0-9_]*/.exec(text.slice(at))?.[0]
  if (name === undefined) return ['$', at]
  return [valueOf(name, variables), at + name.length]
}

/** The brace that closes the one at `open`. Compose counts every brace but that of `$${`. */
function closingBrace(text: string, open: number): number {
  let depth = 1
  for (let at = open + 1; at < text.length; at++) {
    if (text.startsWith('$${', at)) at += 2
    else if (text[at] === '{') depth++
    else if (text[at] === '}' && --depth === 0) return at
  }
  throw invalid(text.slice(open - 1))
}

function braced(body: string, variables: Variables): string {
  const parts = /^([A-Za-z_][A-Za-z0-9_]*)(?:(:?)([-?+])(.*))?$/s.exec(body)
  if (parts === null) throw invalid(`\${${body}}`)
  const [, name = '', colon, operator, word = ''] = parts
  const value = Object.hasOwn(variables, name) ? variables[name] : undefined
  const isSet = value !== undefined && !(colon === ':' && value === '')
  switch (operator) {
    case '-':
      return isSet ? value : interpolate(word, variables)
    case '+':
      return isSet ? interpolate(word, variables) : ''
    case '?':
      if (isSet) return value
      throw unknownVariable(name, word)
    default:
      return valueOf(name, variables)
  }
}

const valueOf = (name: string, variables: Variables): string =>
  (Object.hasOwn(variables, name) ? variables[name] : undefined) ?? ''

const unknownVariable = (name: string, message: string): LabError =>
  new LabError(
    'UNKNOWN_VARIABLE',
    `the compose file uses ${name}, which is not set${message === '' ? '' : `: ${message}`}`,
    { hint: `Set ${name} in the environment or in .env, or give it a default: \${${name}:-value}.` },
  )

const invalid = (text: string): LabError =>
  new LabError('COMPOSE_FILE_INVALID', `"${text}" is not a valid interpolation`, {
    hint: 'Write ${NAME}, ${NAME:-default}, or $$ for a dollar sign.',
  })
