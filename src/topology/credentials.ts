/**
 * Names, passwords and initdb's arguments: what cannot work is refused before anything is begun, and nothing that is let in
 * means something else in a connection string, a password file, pg_hba.conf or a shell.
 */
import { parseConninfo } from '../postgres/conninfo.ts'
import { shellWords } from './compose/shell-words.ts'

type Environment = Readonly<Record<string, string>>

/** What is wrong, and what to do. */
export interface Fault {
  readonly fact: string
  readonly hint: string
}

/** The first thing in a node's environment that cannot work. Passwords are not in what it says. */
export const faultIn = (environment: Environment): Fault | undefined =>
  nameFault(environment) ?? passwordFault(environment) ?? initdbFault(environment) ?? conninfoFault(environment)

const ROLES = ['POSTGRES_USER', 'REPLICATION_USER', 'LAB_USER']
const PASSWORDS = ['POSTGRES_PASSWORD', 'REPLICATION_PASSWORD', 'LAB_PASSWORD']

/** PostgreSQL's own limit: NAMEDATALEN - 1 bytes. https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS */
const MAX_NAME_BYTES = 63

const NAME = /^[\p{L}_][\p{L}\p{N}_.@-]*$/u

/** https://www.postgresql.org/docs/current/sql-createrole.html: these are no names of roles. */
const RESERVED = /^(?:pg_.*|public|none)$/

function nameFault(environment: Environment): Fault | undefined {
  for (const variable of [...ROLES, 'POSTGRES_DB']) {
    const name = environment[variable]
    if (name === undefined) continue
    const hint = `${variable} has letters, digits, _ . @ and -, begins with a letter or _, and has at most ${MAX_NAME_BYTES} bytes.`
    if (!NAME.test(name) || Buffer.byteLength(name) > MAX_NAME_BYTES)
      return { fact: `${variable} is ${JSON.stringify(name)}`, hint }
    if (variable === 'POSTGRES_DB' ? /^template[01]$/.test(name) : RESERVED.test(name))
      return { fact: `${variable} is "${name}", which PostgreSQL keeps for itself`, hint: 'Choose another name.' }
    const other = ROLES.find(role => role !== variable && environment[role] === name)
    if (variable !== 'POSTGRES_DB' && other !== undefined)
      return { fact: `${variable} and ${other} are both "${name}"`, hint: 'Each role needs a name of its own.' }
  }
  return undefined
}

function passwordFault(environment: Environment): Fault | undefined {
  for (const variable of PASSWORDS) {
    const password = environment[variable] ?? ''
    // eslint-disable-next-line no-control-regex -- they are what is looked for
    if (/[\u0000-\u001f\u007f]/.test(password))
      return {
        fact: `${variable} has a control character in it`,
        hint: 'Password files are read by the line: a line break, a tab and the like cannot be in a password.',
      }
    if (isChangedBySaslPrep(password))
      return {
        fact: `${variable} has a character that SASLprep changes: some clients would send another password than others`,
        hint: 'Use characters of ASCII, or letters in their normal form (NFKC), and no other space than the plain one.',
      }
  }
  return undefined
}

/** https://www.rfc-editor.org/rfc/rfc4013: what is mapped to nothing (RFC 3454, B.1) and to a space (C.1.2), and what NFKC changes. */
const isChangedBySaslPrep = (password: string): boolean =>
  /\p{Default_Ignorable_Code_Point}|\u1806|(?! )\p{Zs}/u.test(password) || password.normalize('NFKC') !== password

/** What initdb is told by the lab or the image, and what the lab's own readers of WAL rely on. */
const REFUSED_ARGUMENTS: Readonly<Record<string, string>> = {
  '--waldir': 'The lab looks for WAL in pg_wal.',
  '-X': 'The lab looks for WAL in pg_wal.',
  '--wal-segsize': 'The lab reads WAL in segments of 16 MB, the default.',
  '--pgdata': 'PGDATA says where the data is.',
  '-D': 'PGDATA says where the data is.',
  '--username': 'POSTGRES_USER is the name.',
  '-U': 'POSTGRES_USER is the name.',
  '--pwfile': 'POSTGRES_PASSWORD is the password.',
  '--pwprompt': 'POSTGRES_PASSWORD is the password.',
  '-W': 'POSTGRES_PASSWORD is the password.',
}

function initdbFault(environment: Environment): Fault | undefined {
  const text = environment['POSTGRES_INITDB_ARGS'] ?? ''
  const fact = `POSTGRES_INITDB_ARGS is ${JSON.stringify(text)}`
  if (/[;&|<>$`\n]/.test(text))
    return { fact, hint: 'The image gives it to a shell: it has words and quotes, and nothing else.' }
  try {
    const refused = initdbArguments(environment).find(word => refusalOf(word) !== undefined)
    return refused === undefined ? undefined : { fact, hint: `Leave ${refused} out. ${refusalOf(refused)}` }
  } catch {
    return { fact, hint: 'A quote is not closed in it.' }
  }
}

/** Long ones may have their value after a `=`, short ones right behind the letter. 16 MB may be said. */
function refusalOf(word: string): string | undefined {
  if (/^--wal-segsize=16$/.test(word)) return undefined
  return REFUSED_ARGUMENTS[word.startsWith('--') ? (word.split('=')[0] ?? '') : word.slice(0, 2)]
}

/** @throws Error when a quote is not closed */
export const initdbArguments = (environment: Environment): readonly string[] =>
  shellWords(environment['POSTGRES_INITDB_ARGS'] ?? '')

/** Every node must be found there by the others, and as the role that may replicate. */
function conninfoFault(environment: Environment): Fault | undefined {
  const text = environment['PRIMARY_CONNINFO'] ?? ''
  const conninfo = parseConninfo(text)
  const hosts = conninfo.get('host')?.split(',') ?? []
  const nodes = (environment['CLUSTER_NODES'] ?? '').split(',')
  const unfound = nodes.find(node => !hosts.some(host => host === node || host.startsWith(`${node}.`)))
  if (unfound !== undefined)
    return {
      fact: `PRIMARY_CONNINFO has no host for ${unfound}`,
      hint: `Its host lists each node of CLUSTER_NODES by its name, or by a name that begins with it and a dot: ${unfound}.replication.`,
    }
  if (conninfo.get('user') !== environment['REPLICATION_USER'])
    return {
      fact: `PRIMARY_CONNINFO connects as ${JSON.stringify(conninfo.get('user') ?? '')}, and REPLICATION_USER is another`,
      hint: 'Write user=${REPLICATION_USER} in it.',
    }
  if (conninfo.get('target_session_attrs') !== 'primary')
    return {
      fact: 'PRIMARY_CONNINFO does not say target_session_attrs=primary',
      hint: 'Without it a standby would follow whichever node it meets first.',
    }
  return undefined
}
