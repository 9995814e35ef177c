/**
 * The port: power over the nodes of a cluster, whatever they run on. Types, but for the signals.
 * It speaks of nodes, never of containers or processes; adapters are docker/ and local/, and only lab.ts names them.
 */

import type { Member, Topology } from '../topology/topology.ts'
import type { Lock, LockOptions } from './lock.ts'

/** A TCP address. */
export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** Power state of a node; says nothing about whether its server answers. */
export type NodeState = 'absent' | 'stopped' | 'running' | 'frozen'

/**
 * How a running server is asked to end, and the signal that PostgreSQL gives this meaning to: `fast` disconnects clients
 * and writes a checkpoint, `immediate` writes none, as after a crash, `smart` waits for the clients to leave.
 * https://www.postgresql.org/docs/current/server-shutdown.html
 */
export const STOP_SIGNALS = { fast: 'SIGINT', immediate: 'SIGQUIT', smart: 'SIGTERM' } as const
export type StopMode = keyof typeof STOP_SIGNALS

/**
 * A server that has not ended after so long is asked again, which changes nothing for one that was asked: bash loses a signal
 * that comes while it becomes the server by exec, since that takes its traps away.
 */
const ASK_AGAIN_MS = 1_000

/** Asks until it is disposed of. No question is under way after that: it would end a server that was started meanwhile. */
export function askAgain(ask: () => Promise<unknown>): AsyncDisposable {
  let asking: Promise<unknown> = Promise.resolve()
  const again = (): void => void (asking = asking.then(ask).catch(() => undefined))
  const timer = setInterval(again, ASK_AGAIN_MS)
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
      await asking
    },
  }
}

/** What was done, as the command a person would type for it. */
export type Done = Promise<string>

export interface Interruptible {
  readonly signal?: AbortSignal | undefined
}

export interface StopOptions extends Interruptible {
  /** Limit in milliseconds; a server that still runs then is left. @default 60000 */
  readonly timeoutMs?: number | undefined
}

export interface OfflineOptions extends Interruptible {
  /** Limit in milliseconds. @default 600000 */
  readonly timeoutMs?: number | undefined
}

/** {@link OfflineOptions.timeoutMs}: a rewind copies what has changed, which can be all of a database. */
export const OFFLINE_TIMEOUT_MS = 600_000

export interface UpOptions extends Interruptible {
  /** Limit for each node's first start in milliseconds. */
  readonly timeoutMs: number
  /** Told of each step that takes a moment: `cloning replica1`. */
  readonly onProgress?: ((step: string) => void) | undefined
}

export interface CommandResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** A command line for this machine, to be run in the foreground; `environment` is added to the caller's. */
export interface ForegroundCommand {
  readonly argv: readonly [string, ...string[]]
  readonly environment: Readonly<Record<string, string>>
  /** Where another user than the caller must run it. */
  readonly account?: { readonly uid: number; readonly gid: number } | undefined
  readonly cwd?: string | undefined
}

export interface ForegroundOptions {
  /** Whether a person types into it. */
  readonly terminal: boolean
}

/** The ways between the nodes, and from here to them. */
export interface NetworkControl {
  /** The address of this machine under which the nodes reach what this process listens on. @throws LabError UNSUPPORTED_FAULT */
  hostForNodes(): Promise<string>
  /** From which addresses a node connects to it: nobody else is to use a link that was made for the node. */
  addressesOf(node: string): Promise<readonly string[]>
  /** The network that the nodes replicate over; undefined where they have none of their own. */
  readonly replication:
    | {
        /** Takes the node off it: nothing passes between it and its peers. Its connections are not told. */
        disconnect(node: string): Done
        /** Puts it back, under its name, and perhaps with another address. */
        connect(node: string): Done
        /** Whether it is on it, or is not there at all. */
        isConnected(node: string): Promise<boolean>
      }
    | undefined
}

/** What is there of the cluster on the machine, by name. */
export interface Traces {
  /** Running servers, or containers in whatever state. */
  readonly servers: readonly string[]
  /** In the cluster's folder and in each volume below it; or the project's volumes. */
  readonly files: readonly string[]
  /** What a cluster consists of; not all of it need be there. */
  readonly expectedFiles: readonly string[]
}

/** The data of a whole cluster like this one, made before and kept. No node of the cluster may run now. */
export interface Template {
  /** Gives every node a copy of its data; false where there is no template yet. */
  copy(): Promise<boolean>
  /**
   * Puts every node's data back to the template's, whatever has become of it, and forgets what else there is of the cluster:
   * nodes that were added, what was kept of a history. No node may run now. False where there is no template.
   */
  restore(): Promise<boolean>
  /** Keeps the data that the nodes have, for the next one. */
  save(): Promise<void>
  /**
   * Leaves the data of a cluster that is to be removed, made again what it was, to the next one like it: that needs no copy then.
   * No node may run now. What is not left is for {@link Runtime.down}.
   */
  leave(): Promise<void>
}

/** A program that manages the nodes instead of the lab: it starts, promotes and rewinds them by itself. */
export interface Manager {
  /** As its stack is called: `patroni`. */
  readonly name: string
  /** The cluster_name that it gives every server; the lab gives each the node's. */
  readonly clusterName: string
  /** The nodes that it manages: not all of them where it was interrupted. */
  readonly nodes: readonly string[]
}

export interface Runtime extends AsyncDisposable {
  readonly name: 'docker' | 'local'
  /** Which servers these are, for people: `PostgreSQL 17.10 from /usr/lib/postgresql/17/bin`. */
  readonly description: string
  /** Whether any node of this cluster is there, running or not. */
  hasCluster(): Promise<boolean>
  /** Who manages the nodes instead of the lab, also when none of them runs; undefined where nobody does. */
  manager(): Promise<Manager | undefined>
  /** Undefined where a copy would take as long as the original. */
  readonly template: Template | undefined
  /** From now on only this process changes the cluster, and knows what others have changed until now. @throws LabError LOCKED, TIMEOUT */
  lock(options: LockOptions): Promise<Lock>

  /**
   * Starts every node that is not running; those without data are made or cloned first.
   * When it returns, servers may still be starting; a node that needs a primary to clone may still be waiting for one.
   */
  up(options: UpOptions): Promise<void>
  /** Ends every node, also after a lab that was killed, and removes the data unless it is to be kept. */
  down(options: Interruptible & { readonly keepData: boolean }): Promise<void>

  /** The cluster as it is described, with the nodes that were added and passwords of its own. The same object while it is the same. */
  readonly topology: Topology
  /** Looks whether another command has changed that. @throws LabError STATE_INVALID */
  refresh(): Promise<void>
  /** From now on it is a node of this cluster, here and in every later command; it is absent until it is started. */
  addMember(member: Member, options?: Interruptible): Promise<void>
  /** Removes what is left of a member that is not running, and forgets it. */
  removeMember(node: string): Promise<void>

  state(node: string): Promise<NodeState>
  /** Starts a stopped node as it is, or clones it first when its data is missing or not to be trusted. Does not wait for it to answer. */
  start(node: string, options?: Interruptible): Done
  /**
   * Asks the server to end, and waits until every process of the node is gone.
   * @throws LabError TIMEOUT when it still runs at the limit
   */
  stop(node: string, mode: StopMode, options?: StopOptions): Done
  /** SIGKILL to every process of the node: no flush, no goodbye. Returns when they are gone. */
  crash(node: string): Done
  /** Every process of the node stands still; its connections stay open and nothing answers. */
  freeze(node: string): Done
  thaw(node: string): Done

  /** Makes sure that a stopped node can start as a standby only (standby.signal). */
  fence(node: string): Done
  /** Declares a stopped node's data worthless: its next start clones it from the primary of that day. */
  discard(node: string): Done
  /**
   * Runs a program against a stopped node's data, as the servers' user. Its environment has PGDATA, PGPASSFILE, and
   * SCRIPTS, the folder of replica-entrypoint/.
   * @throws LabError INTERRUPTED, TIMEOUT, when the program has ended for it
   */
  runOffline(node: string, argv: readonly [string, ...string[]], options?: OfflineOptions): Promise<CommandResult>
  /** A file of a node's data directory, running or not: `global/pg_control`. Undefined when there is no such file. */
  readData(node: string, path: string): Promise<Uint8Array | undefined>
  /** Whether {@link discard} was called since its data was made. */
  isDiscarded(node: string): Promise<boolean>
  /** What is there of the cluster now: a soak looks whether more and more is left. */
  traces(): Promise<Traces>
  /** Whether this program (`pg_rewind`) can be run with {@link runOffline}. */
  offers(program: string): Promise<boolean>

  /** Where clients on this machine reach a node. */
  clientEndpoint(node: string): Endpoint
  /** Where the other nodes reach it: another address than the clients'. */
  peerEndpoint(node: string): Endpoint
  /** The primary_conninfo of a node that follows whichever node is the primary, without a password. */
  standbyConninfo(node: string): string
  readonly network: NetworkControl

  /** The last lines of the server's log, oldest first. */
  log(node: string, options: Interruptible & { readonly lines: number }): Promise<string>
  /** Prints the log as it grows, until the signal fires. */
  followLog(
    node: string,
    write: (chunk: string) => void,
    options: { readonly signal: AbortSignal; readonly lines: number },
  ): Promise<void>
  /** How to open psql on a node here; undefined where there is no psql. */
  psql(node: string, args: readonly string[], options: ForegroundOptions): Promise<ForegroundCommand | undefined>
  /** How to run a program against a stopped node's data as {@link runOffline} does, but in the foreground. */
  offlineCommand(
    node: string,
    argv: readonly [string, ...string[]],
    options: ForegroundOptions,
  ): Promise<ForegroundCommand>
}
