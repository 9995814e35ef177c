/**
 * libpq's connection strings in keyword/value form, as primary_conninfo holds them, and as URLs, as people do. Pure.
 * https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING
 */
import { LabError } from '../errors.ts'

/** Keyword → value. */
export type Conninfo = ReadonlyMap<string, string>

/** What is no keyword/value pair is left out; a keyword that is given twice has its last value, as in libpq. */
export function parseConninfo(text: string): Conninfo {
  const pairs = text.matchAll(/(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s\\]|\\.)*))/gs)
  return new Map([...pairs].map(([, keyword = '', quoted, plain = '']) => [keyword, unescaped(quoted ?? plain)]))
}

export const formatConninfo = (conninfo: Conninfo): string =>
  [...conninfo].map(([keyword, value]) => `${keyword}=${quotedIfNeeded(value)}`).join(' ')

/** One of the servers that a connection string names. */
interface Host {
  readonly host: string
  readonly port: number
}

/** The servers, in the order in which they are tried. https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-MULTIPLE-HOSTS */
export function hostsIn(text: string): readonly Host[] {
  const conninfo = parseConninfo(text)
  const ports = (conninfo.get('port') ?? '5432').split(',')
  const hosts = conninfo.get('host')?.split(',') ?? []
  return hosts.map((host, at) => ({ host, port: Number(ports[ports.length === 1 ? 0 : at]) }))
}

/** The same with these servers instead. A port that is the same for all is written once. */
export function withHosts(text: string, hosts: readonly Host[]): string {
  const ports = [...new Set(hosts.map(({ port }) => port))]
  const port = (ports.length === 1 ? ports : hosts.map(host => host.port)).join(',')
  return formatConninfo(
    new Map([...parseConninfo(text), ['host', hosts.map(({ host }) => host).join(',')], ['port', port]]),
  )
}

const unescaped = (value: string): string => value.replace(/\\(.)/gs, '$1')

const quotedIfNeeded = (value: string): string =>
  /^[^\s'\\]+$/.test(value) ? value : `'${value.replace(/['\\]/g, '\\$&')}'`

/**
 * What decides which server is followed, and as whom. pg_basebackup writes libpq's defaults for all the rest into its
 * variant, and the path of its own password file.
 */
const DECISIVE = ['host', 'hostaddr', 'port', 'user', 'target_session_attrs', 'connect_timeout', 'application_name']

/** Whether both mean the same servers. */
export function areEquivalent(a: string, b: string): boolean {
  const [one, other] = [parseConninfo(a), parseConninfo(b)]
  return DECISIVE.every(keyword => one.get(keyword) === other.get(keyword))
}

interface Login extends Host {
  readonly user: string
  readonly password: string
  readonly database: string
}

/** `postgresql://user:password@host:port/database`, for any client. */
export function connectionUrl({ host, port, user, password, database }: Login): string {
  const at = host.includes(':') ? `[${host}]` : host
  const [name, secret, path] = [user, password, database].map(encodeURIComponent)
  return `postgresql://${name}:${secret}@${at}:${port}/${path}`
}

/** Stands where a password was. */
const HIDDEN = '***'

/**
 * A text that may be kept and shown: the password of each URL in it is hidden, and what stands behind `password=`, in a URL
 * or a connection string, and behind `PGPASSWORD=`.
 */
export const withoutPasswords = (text: string): string =>
  text
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/?#@]*:)[^\s/?#]*@/gi, `$1${HIDDEN}@`)
    .replace(/(\bpassword\s*=\s*|\bPGPASSWORD=)('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s&'"]+)/gi, `$1${HIDDEN}`)

/**
 * The server that a URL names, `host:port`.
 * @throws LabError USAGE when it is no URL of one PostgreSQL server; what it was is not told: it may hold a password
 */
export function serverInUrl(url: string): string {
  const parsed = /^postgres(ql)?:\/\//.test(url) && URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined || parsed.hostname === '') {
    throw new LabError('USAGE', 'a server is named by a URL, and one of these is none', {
      hint: 'It looks like postgresql://user@host:5432/database; the password is best in PGPASSWORD or ~/.pgpass.',
    })
  }
  if (parsed.hostname.includes(',')) {
    throw new LabError('USAGE', `${parsed.hostname} is several servers in one URL`, {
      hint: 'Give each a URL of its own: --node URL --node URL.',
    })
  }
  if (![parsed.username, parsed.password, parsed.pathname].every(isEncoded)) {
    throw new LabError('USAGE', `the URL of ${parsed.hostname} has a % that stands for nothing`, {
      hint: 'In a user, a password or a database it is written %25, as @ is %40 and / is %2F.',
    })
  }
  return `${parsed.hostname}:${parsed.port || '5432'}`
}

/** https://datatracker.ietf.org/doc/html/rfc3986#section-2.1 */
function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}
