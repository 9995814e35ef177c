/**
 * The port of a client: what it writes to. The lab's cluster is one; so are servers that are named by URLs, and one address that
 * leads to whichever of them is the primary (named-servers.ts).
 */
import type { Session } from '../postgres/connection.ts'

export interface Target {
  /** What can be connected to; which of them is the primary is asked. */
  readonly nodes: readonly { readonly name: string }[]
  /** The same name leads elsewhere later: only a new connection finds out. @default false */
  readonly moves?: boolean | undefined
  /** With schema, as SQL has it. @default that of the lab, {@link WRITES_TABLE} */
  readonly table?: string | undefined
  /** An expression, text, by which a server says who it is: each write is asked for it. @default the node's name is kept */
  readonly whoAnswers?: string | undefined
  connect(node: string, options?: TargetConnectOptions): Promise<Session>
  /** Who accepts writes now. @throws LabError NO_PRIMARY, SPLIT_BRAIN and the like */
  primary(signal?: AbortSignal): Promise<{ readonly name: string }>
}

export interface TargetConnectOptions {
  /** `client` goes the way of an application. @default 'lab' */
  readonly via?: 'lab' | 'client' | undefined
  readonly applicationName?: string | undefined
  /** Limit in milliseconds. */
  readonly connectTimeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}
