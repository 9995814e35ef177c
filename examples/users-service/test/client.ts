/**
 * A client of the service as it should be: a key of its own for each user, sent again until there is an answer; then it reads
 * what it wrote.
 */
import type { Send, TestCluster } from 'pg-failover-lab'
import { until } from './support.ts'

/** What it has seen. */
export class Client {
  /** Of the writes: how often each status came. */
  readonly answers: Record<number, number> = {}
  /** Of the writes: how often it was told each of them. */
  readonly problems: Record<string, number> = {}
  /** Of the reads after them: who answered. */
  readonly reads: Record<string, number> = {}
  /** What was acknowledged, and not there for a read with its token. */
  readonly notSeen: string[] = []
  readonly #url: string
  readonly #reading: Promise<void>[] = []

  constructor(url: string) {
    this.#url = url
  }

  /** One user for each id, which is its name and its key. */
  readonly send: Send = async (id, signal) => {
    const body = JSON.stringify({ name: id, email: `${id}@example.com` })
    const headers = { 'content-type': 'application/json', 'idempotency-key': id }
    const request = { method: 'POST', body, headers, signal }
    const made = await again(() => fetch(`${this.#url}/users`, request), this.#note)
    const user = (await made.json()) as { readonly id: string }
    // Not part of the request: how long nobody could write is one thing, and what they read then another.
    if (made.ok) this.#reading.push(this.#read(id, { user: user.id, token: made.headers.get('x-read-token') ?? '' }))
    return made
  }

  /** When every read has its answer. */
  async settled(): Promise<void> {
    await Promise.all(this.#reading)
  }

  async sees(problem: string): Promise<void> {
    await until(`the client to see ${problem}`, async () => [problem in this.problems, this.problems])
  }

  readonly #note = async (answer: Response): Promise<void> => {
    this.answers[answer.status] = (this.answers[answer.status] ?? 0) + 1
    if (answer.ok) return
    const { type } = (await answer.clone().json()) as { readonly type: string }
    this.problems[type] = (this.problems[type] ?? 0) + 1
  }

  async #read(id: string, { user, token }: { readonly user: string; readonly token: string }): Promise<void> {
    const read = await again(() => fetch(`${this.#url}/users/${user}`, { headers: { 'x-read-token': token } }))
    const { name, type } = (await read.json()) as { readonly name?: string; readonly type?: string }
    const [, role = 'nobody'] = /\((.*)\)$/.exec(read.headers.get('x-served-by') ?? '') ?? []
    this.reads[role] = (this.reads[role] ?? 0) + 1
    if (name !== id) this.notSeen.push(`${id}: ${type}`)
  }
}

/** Sends it again while the answer says that this may help. */
async function again(send: () => Promise<Response>, note?: (answer: Response) => Promise<void>): Promise<Response> {
  for (;;) {
    const answer = await send()
    await note?.(answer)
    if (answer.status !== 503) return answer
    await answer.arrayBuffer()
  }
}

/** The ids that are there now, each as often as it is there. */
export async function survivorsOf(cluster: TestCluster): Promise<string[]> {
  const rows = await cluster.query<{ name: string }>('SELECT name FROM users_service.users', [], { as: 'superuser' })
  return rows.map(({ name }) => name)
}
