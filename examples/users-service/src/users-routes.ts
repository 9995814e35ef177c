/**
 * POST /users, GET /users and GET /users/:id.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Context } from './context.ts'
import { Problem } from './problem.ts'
import { giveToken, TOKEN_HEADER, tokenOf } from './read-token.ts'
import { createUser, findUser, type IdempotencyKey, type ReadLimits } from './users.ts'

const NewUserSchema = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 200, pattern: '\\S' }),
    email: Type.String({ format: 'email', maxLength: 254 }),
  },
  { additionalProperties: false },
)

const UserSchema = Type.Object({
  id: Type.String({ format: 'uuid' }),
  number: Type.Integer(),
  name: Type.String(),
  email: Type.String(),
  createdAt: Type.String({ format: 'date-time' }),
})

const PageSchema = Type.Object({
  users: Type.Array(UserSchema),
  next: Type.Union([Type.Integer(), Type.Null()], { description: 'as `from` of the next page; null on the last one' }),
})

const ProblemSchema = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.Optional(Type.String()),
    mayHaveHappened: Type.Optional(Type.Boolean()),
  },
  { description: 'application/problem+json' },
)

const KeyHeader = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({ minLength: 1, maxLength: 200, description: 'the same again makes no second user' }),
  ),
})

const TokenHeader = Type.Object({
  [TOKEN_HEADER]: Type.Optional(Type.String({ maxLength: 200, description: 'of a write, which the read then sees' })),
})

const Id = Type.Object({ id: Type.String({ format: 'uuid' }) })

const PageQuery = Type.Object({
  from: Type.Integer({
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    default: 0,
    description: 'users after this number',
  }),
  limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }),
})

export const usersRoutes: FastifyPluginAsyncTypebox<Context> = async (app, { router, configuration, lists }) => {
  const limitsOf = (request: FastifyRequest): ReadLimits => ({
    after: tokenOf(request),
    waitMs: configuration.database.readWaitMs,
  })

  const create = { headers: KeyHeader, body: NewUserSchema, response: { 201: UserSchema, default: ProblemSchema } }
  app.post('/users', { schema: create }, async (request, reply) => {
    const { user, isReplay, token, node } = await createUser(router, request.body, keyOf(request))
    served(reply, { node, role: 'primary' })
    giveToken(reply, token)
    if (isReplay) void reply.header('idempotency-replayed', 'true')
    return reply.code(201).header('location', `/users/${user.id}`).send(user)
  })

  const read = { headers: TokenHeader, params: Id, response: { 200: UserSchema, default: ProblemSchema } }
  app.get('/users/:id', { schema: read }, async (request, reply) => {
    const { user, token, ...from } = await findUser(router, request.params.id, limitsOf(request))
    served(reply, from)
    if (token !== undefined) giveToken(reply, token)
    if (user === undefined) throw new Problem({ status: 404, type: 'no-such-user', title: 'There is no such user' })
    return user
  })

  const list = { headers: TokenHeader, querystring: PageQuery, response: { 200: PageSchema, default: ProblemSchema } }
  app.get('/users', { schema: list }, async (request, reply) => {
    const { page, ...from } = await lists(request.query, limitsOf(request))
    served(reply, from)
    return page
  })
}

/** Of the caller that the JWT names; where nobody has to say who they are, all are one. */
function keyOf(request: FastifyRequest): IdempotencyKey | undefined {
  const key = request.headers['idempotency-key']
  return typeof key === 'string' ? { owner: request.caller, key } : undefined
}

/** Who answered, for logs, for metrics, and for who wants to see it. */
function served(reply: FastifyReply, { node, role }: { readonly node: string; readonly role: string }): void {
  reply.servedBy = node
  void reply.header('x-served-by', `${node} (${role})`)
}
