/**
 * GET /activity: what the activity log of this instance has, gaps and all.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { ActivityLog } from './activity-log.ts'

const Query = Type.Object({
  after: Type.Integer({ minimum: 0, default: 0, description: 'entries after this position' }),
})

export const activityRoutes: FastifyPluginAsyncTypebox<{ readonly activity: ActivityLog }> = async (
  app,
  { activity },
) => {
  app.get('/activity', { schema: { querystring: Query } }, request => ({
    isListening: activity.isListening,
    entries: activity.after(request.query.after),
  }))
}
