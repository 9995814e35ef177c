/**
 * What the router throws, beside the errors of statements, which are node-postgres' own.
 */

/** Every code a {@link RouterError} can carry, with what it means. */
export const routerErrorCodes = {
  NO_PRIMARY: 'no host was the primary within the limit; nothing was sent',
  NO_SERVER: 'no host could answer a read within the limit',
  INDETERMINATE: 'a write was sent and no answer came: it may have been committed',
  ROLLED_BACK: 'a transaction ended in a rollback, though its function returned',
  WRITE_LOST: 'the write that a token stands for is not in the history of the primary',
  WRITE_UNKNOWN: 'whether the write that a token stands for is there cannot be known',
  FOREIGN_TOKEN: 'a token is of another cluster, or is none',
  ENDED: 'the router has been ended',
  USAGE: 'an option is wrong',
} as const

export type RouterErrorCode = keyof typeof routerErrorCodes

/** The message is the fact; the hint says what to do about it. */
export class RouterError extends Error {
  override readonly name: string = 'RouterError'
  readonly code: RouterErrorCode
  readonly hint: string | undefined

  constructor(
    code: RouterErrorCode,
    message: string,
    options: { readonly hint?: string; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint
  }
}

/** Where a write was when its answer failed to come. */
export interface SentTo {
  /** `host:port` */
  readonly node: string
  /** What the connection ended with, or the SQLSTATE of the server's last word. */
  readonly reason: string
  /** How long after it was sent, in milliseconds. */
  readonly afterMs: number
}

/**
 * A write was sent, and may have been committed or not. Who sends it again without a key that tells it from the first may do it
 * twice.
 */
export class IndeterminateWriteError extends RouterError {
  override readonly name = 'IndeterminateWriteError'
  readonly node: string
  readonly reason: string
  readonly afterMs: number

  constructor({ node, reason, afterMs }: SentTo, cause: unknown) {
    super('INDETERMINATE', `no answer to a write that was sent to ${node}: it may be committed (${reason})`, {
      hint: 'Look for it before sending it again, or give it a key of its own and say so: write(sql, values, { idempotent: true }).',
      cause,
    })
    this.node = node
    this.reason = reason
    this.afterMs = afterMs
  }
}
