/**
 * `.env` and the files that `env_file` names, as Compose reads them: node's own parser differs in `#`, `$` and backslashes, and
 * a password would then be another one with Docker than without. What Compose refuses is refused here, without the value.
 * https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/#env-file-syntax
 * https://github.com/compose-spec/compose-go/blob/main/dotenv/parser.go
 */
import { interpolate, type Variables } from './interpolation.ts'

/** Go's unicode.IsSpace without the line feed, which ends a statement. */
const SPACE = '[\\t\\v\\f\\r \\u0085\\u00a0]*'
const BLANK = new RegExp(`(?:${SPACE}\\n|${SPACE}#[^\\n]*)*${SPACE}`, 'y')
const NAME = new RegExp(
  `(?:export(?=\\s)\\s*)?([\\p{L}\\p{N}_.\\-[\\]\\t\\v\\f\\r \\u0085\\u00a0]*)([=:\\n])${SPACE}`,
  'uy',
)
const QUOTED = /'((?:\\[^]|[^'\\])*)'|"((?:\\[^]|[^"\\])*)"/y
const REST_OF_LINE = /[^\n]*\n?/y

/**
 * Names and values. `environment` is for `$NAME` in unquoted and double-quoted values, as are the lines above.
 * @throws Error with the line's number and what is wrong there
 */
export function parseDotEnv(text: string, environment: Variables): Record<string, string> {
  const source = text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n')
  const values: Record<string, string> = {}
  let at = 0
  const next = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const found = pattern.exec(source)
    at += found?.[0].length ?? 0
    return found
  }
  let start = 0
  const wrong = (what: string): Error => new Error(`line ${source.slice(0, start).split('\n').length}: ${what}`)
  for (next(BLANK); at < source.length; next(BLANK)) {
    start = at
    const [, written = '', end] = next(NAME) ?? []
    const name = written.trimEnd()
    if (end === undefined || name === '') throw wrong('it is no NAME=value')
    if (name.includes(' ')) throw wrong('the name has a space in it')
    const variables = { ...values, ...environment }
    if (end === '\n') {
      const inherited = environment[name]
      if (inherited !== undefined) values[name] = inherited
      continue
    }
    const quote = source[at]
    if (quote !== "'" && quote !== '"') {
      values[name] = expanded(unquoted(next(REST_OF_LINE)?.[0] ?? ''))
      continue
    }
    const [, single, double = ''] = next(QUOTED) ?? [undefined, undefined, undefined]
    if (source[at - 1] !== quote) throw wrong(`the quote ${quote} of ${name} is not closed`)
    values[name] = single === undefined ? expanded(unescaped(double)) : single.replaceAll("\\'", "'")

    function expanded(value: string): string {
      try {
        return interpolate(value, variables)
      } catch {
        throw wrong(`the value of ${name} has a variable in it that Compose cannot read; put it between single quotes`)
      }
    }
  }
  return values
}

const unquoted = (line: string): string => line.replace('\n', '').replace(/ #.*$/, '').trimEnd()

const ESCAPES: Readonly<Record<string, string>> = {
  ...{ a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' },
  ...{ '\\': '\\', '"': '"', $: '$$' },
}

/** Of what is between double quotes; `\$` is `$$`, which is then no variable. */
const unescaped = (value: string): string =>
  value.replace(/\\(?:([abfnrtv$"\\])|0([0-7]{1,3}))/g, (whole, letter?: string, octal?: string) =>
    letter === undefined ? String.fromCharCode(Number.parseInt(octal ?? '', 8)) : (ESCAPES[letter] ?? whole),
  )
