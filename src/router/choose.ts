/**
 * Which of the servers that say so is the primary. Pure.
 */
import type { Look, PrimaryLook } from './look.ts'

/** What is known of a cluster from the looks before. */
export interface Known {
  /** Of the first primary that was found; undefined until then. */
  readonly system: string | undefined
  /** The highest timeline that a primary was on. */
  readonly timeline: number
  /** The run of the server that is taken for the primary. */
  readonly started: string | undefined
}

export type Choice<T> =
  { readonly found: T; readonly look: PrimaryLook } | { readonly found: undefined; readonly why: string }

/** The one on the highest timeline, and none on a lower one than was seen before: that is a former primary that has come back. */
export function choosePrimary<T extends { readonly name: string; readonly look: Look | undefined }>(
  hosts: readonly T[],
  known: Known,
): Choice<T> {
  const claims = hosts.flatMap(found => (found.look?.role === 'primary' ? [{ found, look: found.look }] : []))
  const ours = claims.filter(({ look }) => known.system === undefined || look.system === known.system)
  if (ours.length === 0 && claims.length > 0)
    return none(`${names(claims)} ${claims.length === 1 ? 'is' : 'are'} of another cluster than before`)
  if (new Set(ours.map(({ look }) => look.system)).size > 1) return none(`${names(ours)} are of different clusters`)
  const timeline = Math.max(...ours.map(({ look }) => look.timeline))
  if (ours.length > 0 && timeline < known.timeline)
    return none(`${names(ours)} accepts writes on timeline ${timeline}, and timeline ${known.timeline} was seen before`)
  const latest = ours.filter(({ look }) => look.timeline === timeline)
  const [only] = latest
  if (only === undefined) return none('no host says that it is the primary')
  if (latest.length === 1) return only
  const same = latest.find(({ look }) => look.started === known.started)
  return (
    same ??
    none(`${names(latest)} all accept writes on timeline ${timeline}: which is right, nobody can tell from here`)
  )
}

const none = (why: string): { readonly found: undefined; readonly why: string } => ({ found: undefined, why })

const names = (claims: readonly { readonly found: { readonly name: string } }[]): string =>
  claims.map(({ found }) => found.name).join(' and ')
