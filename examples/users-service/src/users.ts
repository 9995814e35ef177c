/**
 * Users: to the primary with a key, from standbys with a token. The SQL of the service is here.
 */
import { createHash, randomUUID } from 'node:crypto'
import pg from 'pg'
import { RouterError, type ReadFrom, type ReadToken, type Router, type Written } from 'pg-failover-lab/router'
import { SCHEMA } from './migration.ts'
import { Problem } from './problem.ts'

export interface NewUser {
  readonly name: string
  readonly email: string
}

export interface User extends NewUser {
  readonly id: string
  /** The order in which users were made. */
  readonly number: number
  readonly createdAt: string
}

/** Who sends a key, and the key: two people may choose the same. */
export interface IdempotencyKey {
  readonly owner: string
  readonly key: string
}

export interface Created extends Written {
  readonly user: User
  /** The key was there already: this is the user of the first time. */
  readonly isReplay: boolean
}

export interface ReadLimits {
  /** A token: the read sees that write, or fails. */
  readonly after: string | undefined
  readonly waitMs: number
}

export interface Page {
  readonly users: User[]
  /** For the next page; null on the last one. */
  readonly next: number | null
}

const COLUMNS = `id, number::float8 AS number, name, email,
  to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "createdAt"`

// The id is made here, so the statement does no harm twice: sent again, it finds the user that it made.
const INSERT = `
  WITH made AS (
    INSERT INTO ${SCHEMA}.users (id, name, email) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING RETURNING *
  )
  SELECT ${COLUMNS}, '' AS fingerprint FROM made
  UNION ALL SELECT ${COLUMNS}, '' FROM ${SCHEMA}.users WHERE id = $1`

// The key and the user in one statement, so in one transaction: a failover keeps both or neither. Who comes second with the
// same key waits here for the first to commit.
const INSERT_WITH_KEY = `
  WITH claimed AS (
    INSERT INTO ${SCHEMA}.idempotency_keys (owner, key, fingerprint, user_id) VALUES ($4, $5, $6, $1)
    ON CONFLICT (owner, key) DO NOTHING RETURNING user_id
  ), made AS (
    INSERT INTO ${SCHEMA}.users (id, name, email) SELECT user_id, $2, $3 FROM claimed RETURNING *
  )
  SELECT ${COLUMNS}, $6 AS fingerprint FROM made
  UNION ALL SELECT ${COLUMNS}, fingerprint FROM ${SCHEMA}.users
  JOIN (SELECT user_id, fingerprint FROM ${SCHEMA}.idempotency_keys WHERE owner = $4 AND key = $5) AS known ON user_id = id`

interface Row extends User {
  readonly fingerprint: string
}

/** @throws Problem 409 for an email that is taken, 422 for a key that was used for another user; what the router throws */
export async function createUser(router: Router, { name, email }: NewUser, given?: IdempotencyKey): Promise<Created> {
  const id = randomUUID()
  const fingerprint =
    given === undefined
      ? ''
      : createHash('sha256')
          .update(JSON.stringify([name, email]))
          .digest('hex')
  const key = given === undefined ? [] : [given.owner, given.key, fingerprint]
  const statement = given === undefined ? INSERT : INSERT_WITH_KEY
  const { row, token, node } = await insert(router, statement, [id, name, email, ...key])
  if (row.fingerprint !== fingerprint)
    throw new Problem({ status: 422, type: 'key-reused', title: 'This Idempotency-Key was used for another user' })
  const { fingerprint: _fingerprint, ...user } = row
  return { user, isReplay: user.id !== id, token, node }
}

/** A statement does not see what was committed while it waited for it; the next one does. */
const ATTEMPTS = 3

async function insert(router: Router, statement: string, values: unknown[]): Promise<Written & { readonly row: Row }> {
  for (let attempt = 1; ; attempt++) {
    const { rows, token, node } = await router.write<Row>(statement, values, { idempotent: true }).catch(asProblem)
    const [row] = rows
    if (row !== undefined) return { row, token, node }
    if (attempt === ATTEMPTS) throw new Error(`no row after ${ATTEMPTS} attempts`)
  }
}

function asProblem(error: unknown): never {
  if (error instanceof pg.DatabaseError && error.code === '23505' && error.constraint === 'users_email')
    throw new Problem({ status: 409, type: 'email-taken', title: 'A user with this email is there already' })
  throw error
}

export interface FoundUser extends ReadFrom {
  readonly user: User | undefined
  /** In the place of one that proves nothing any more. */
  readonly token?: ReadToken
}

/** @throws what the router throws */
export async function findUser(router: Router, id: string, limits: ReadLimits): Promise<FoundUser> {
  try {
    const { rows, node, role } = await router.read<User>(BY_ID, [id], limits)
    return { user: rows[0], node, role }
  } catch (error) {
    if (!(error instanceof RouterError) || error.code !== 'WRITE_UNKNOWN') throw error
    // The server ended between the commit and the word where that is: some do in every switchover. What the primary has needs
    // no proof; that it has it not proves nothing.
    const { rows, node, token } = await router.write<User>(BY_ID, [id], { idempotent: true })
    if (rows[0] === undefined) throw error
    return { user: rows[0], node, role: 'primary', token }
  }
}

const BY_ID = `SELECT ${COLUMNS} FROM ${SCHEMA}.users WHERE id = $1`
const PAGE = `SELECT ${COLUMNS} FROM ${SCHEMA}.users WHERE number > $1 ORDER BY users.number LIMIT $2`

/** Those after a number, in the order in which they were made. @throws what the router throws */
export async function listUsers(
  router: Router,
  { from, limit }: { readonly from: number; readonly limit: number },
  limits: ReadLimits,
): Promise<ReadFrom & { readonly page: Page }> {
  const { rows, node, role } = await router.read<User>(PAGE, [from, limit + 1], limits)
  const users = rows.slice(0, limit)
  return { page: { users, next: rows.length > limit ? (users.at(-1)?.number ?? null) : null }, node, role }
}

/** Removes keys that nobody will send again. @throws what the router throws */
export async function forgetKeys(router: Router, hours: number): Promise<number> {
  const sql = `DELETE FROM ${SCHEMA}.idempotency_keys WHERE created_at < now() - make_interval(hours => $1)`
  return (await router.write(sql, [hours], { idempotent: true })).rowCount ?? 0
}
