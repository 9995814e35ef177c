/**
 * What libpq reads from the environment, for the programs that the lab starts: whatever a user has there for servers of his own
 * must not lead psql to another one. What psql itself reads (PAGER, PSQLRC, EDITOR, PSQL_*) stays.
 * https://www.postgresql.org/docs/current/libpq-envars.html
 */
export const withoutLibpq = (environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(environment).filter(([name]) => !/^PG[A-Z]/.test(name)))

/** The lab's servers have no TLS. With this, no certificate in ~/.postgresql and no Kerberos ticket is looked at. */
export const PLAIN_CONNECTION = { PGSSLMODE: 'disable', PGGSSENCMODE: 'disable' } as const
