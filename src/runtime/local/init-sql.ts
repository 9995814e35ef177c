/**
 * The part of psql's language that primary-init/*.sql uses, for machines whose PostgreSQL comes without psql:
 * `\getenv`, and `:'name'` and `:"name"` for its variables.
 * https://www.postgresql.org/docs/current/app-psql.html#APP-PSQL-INTERPOLATION
 */
import { escapeIdentifier, escapeLiteral } from 'pg'
import { LabError } from '../../errors.ts'

/**
 * Splits a script into its statements, with variables put in. As in psql, nothing is replaced inside quotes, comments
 * and dollar quotes.
 * @throws LabError NODE_FAILED for any other backslash command.
 */
export function parseInitSql(script: string, environment: Readonly<Record<string, string | undefined>>): string[] {
  const variables = new Map<string, string>()
  const statements: string[] = []
  let statement = ''
  for (const [token] of script.matchAll(TOKEN)) {
    if (token.startsWith('\\')) runMetaCommand(token, environment, variables)
    else if (token.startsWith('--') || token.startsWith('/*')) statement += ' '
    else if (token === ';') {
      if (statement.trim() !== '') statements.push(statement.trim())
      statement = ''
    } else statement += substitute(token, variables)
  }
  return statement.trim() === '' ? statements : [...statements, statement.trim()]
}

/** Comments nest in SQL; three levels are enough for anybody. */
const BLOCK_COMMENT = [1, 2].reduce(
  inner => new RegExp(`\\/\\*(?:${inner.source}|(?!\\/\\*|\\*\\/)[^])*\\*\\/`),
  /\/\*(?:(?!\/\*|\*\/)[^])*\*\//,
)

/** In this order: strings (E'…' knows backslash escapes), identifiers, dollar quotes, comments, backslash commands, variables, the rest. */
const TOKEN = new RegExp(
  [
    /\b[eE]'(?:[^'\\]|\\.|'')*'/,
    /'(?:[^']|'')*'/,
    /"(?:[^"]|"")*"/,
    /(\$(?:[A-Za-z_][A-Za-z_0-9]*)?\$)[^]*?\1/,
    /--[^\n]*/,
    BLOCK_COMMENT,
    /\\[^\n]*/,
    /::/,
    /:'\w+'|:"\w+"/,
    /;/,
    /\w+|[^]/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'g',
)

function runMetaCommand(
  line: string,
  environment: Readonly<Record<string, string | undefined>>,
  variables: Map<string, string>,
): void {
  const parts = /^\\getenv\s+(\w+)\s+(\w+)\s*$/.exec(line)
  if (parts === null) {
    throw new LabError('NODE_FAILED', `${line} in primary-init needs psql, which this PostgreSQL comes without`, {
      hint: 'Install PostgreSQL with its client programs, or use Docker.',
    })
  }
  const value = environment[parts[2] ?? '']
  if (value !== undefined) variables.set(parts[1] ?? '', value)
}

function substitute(token: string, variables: ReadonlyMap<string, string>): string {
  const parts = /^:(['"])(\w+)['"]$/.exec(token)
  const value = parts === null ? undefined : variables.get(parts[2] ?? '')
  if (value === undefined) return token
  return parts?.[1] === "'" ? escapeLiteral(value) : escapeIdentifier(value)
}
