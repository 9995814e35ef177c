/**
 * A client of the service as it should be: a key of its own for each user, sent again until there is an answer; then it reads
 * what it wrote.
 */
import type { Send, TestCluster } from 'pg-failover-lab'

/** What a client has seen. */
export interface Seen {
  /** How often each status came. */
  readonly answers: Record<string, number>
  /** Of those that were acknowledged: what a read after it did not find. */
  readonly notSeen: string[]
  /** Who answered the reads. */
  readonly readFrom: Record<string, number>
}

export const nothingSeen = (): Seen => ({ answers: {}, notSeen: [], readFrom: {} })

/** One user for each id, which is its name and its key. */
export const client =
  (url: string, seen: Seen): Send =>
  async (id, signal) => {
    const body = JSON.stringify({ name: id, email: `${id}@example.com` })
    const headers = { 'content-type': 'application/json', 'idempotency-key': id }
    const made = await insist(`${url}/users`, { method: 'POST', body, headers, signal }, seen)
    if (!made.ok) return made
    const user = (await made.json()) as { readonly id: string }
    const token = made.headers.get('x-read-token') ?? ''
    const read = await insist(`${url}/users/${user.id}`, { headers: { 'x-read-token': token }, signal }, seen)
    if (read.status === 404) seen.notSeen.push(id)
    const [, role = 'nobody'] = /\((.*)\)$/.exec(read.headers.get('x-served-by') ?? '') ?? []
    seen.readFrom[role] = (seen.readFrom[role] ?? 0) + 1
    await read.arrayBuffer()
    return made
  }

/** Sends it again while the answer says that this may help. The signal is its limit. */
async function insist(url: string, request: RequestInit, { answers }: Seen): Promise<Response> {
  for (;;) {
    const answer = await fetch(url, request)
    answers[answer.status] = (answers[answer.status] ?? 0) + 1
    if (answer.status !== 503) return answer
    await answer.arrayBuffer()
  }
}

/** The ids that are there now, each as often as it is there. */
export async function survivorsOf(cluster: TestCluster): Promise<string[]> {
  const rows = await cluster.query<{ name: string }>('SELECT name FROM users_service.users', [], { as: 'superuser' })
  return rows.map(({ name }) => name)
}
