import { describe, expect, test } from 'vitest'
import { resolveOptions, type RouterOptions } from '../../../src/router/options.ts'

const url = (host: string): string => `postgresql://app:s%40cret@${host}/shop?application_name=web`

describe('resolveOptions', () => {
  test('takes hosts beside the options of a pool', () => {
    const { addresses, pool } = resolveOptions({
      hosts: ['db1', 'db2:6432', { host: 'db3', port: 7 }],
      user: 'app',
      max: 3,
    })
    expect(addresses.map(({ name }) => name)).toEqual(['db1:5432', 'db2:6432', 'db3:7'])
    expect(pool).toMatchObject({ user: 'app', max: 3 })
    expect(pool).not.toHaveProperty('host')
  })

  test('takes URLs, as node-postgres reads them', () => {
    const { addresses, pool } = resolveOptions({ connectionStrings: [url('db1:6432'), url('db2')] })
    expect(addresses.map(({ host, port }) => [host, port])).toEqual([
      ['db1', 6432],
      ['db2', 5432],
    ])
    expect(pool.connectionString).toBe(url('db1:6432'))
  })

  test('takes addresses of IPv6, and a folder of a socket', () => {
    const { addresses } = resolveOptions({ hosts: ['[::1]:6432', { host: '/tmp/socket' }] })
    expect(addresses.map(({ host, port }) => [host, port])).toEqual([
      ['::1', 6432],
      ['/tmp/socket', 5432],
    ])
  })

  test('asks as the monitor, also where a URL says somebody else', () => {
    const monitor = { user: 'mon', password: 'p@ss' }
    const [byUrl] = resolveOptions({ connectionStrings: [url('db1')], monitor }).addresses
    expect(byUrl?.monitor.connectionString).toBe('postgresql://mon:p%40ss@db1/shop?application_name=web')
    const [byHost] = resolveOptions({ hosts: ['db1'], user: 'app', monitor }).addresses
    expect(byHost?.monitor).toMatchObject({ ...monitor, host: 'db1' })
    expect(byHost?.config.user).toBe('app')
  })

  test.each<[string, RouterOptions]>([
    ['neither hosts nor URLs', {}],
    ['both', { hosts: ['a'], connectionStrings: [url('a')] }],
    ['no host', { hosts: [] }],
    ['a host twice', { hosts: ['a', 'a:5432'] }],
    ['a port that there is not', { hosts: ['a:70000'] }],
    ['an empty host', { hosts: [{ host: '' }] }],
    ['what is no URL', { connectionStrings: ['host=a'] }],
    ['two users', { connectionStrings: [url('a'), 'postgresql://other@b/shop'] }],
    ['a limit that is none', { hosts: ['a'], maxLagMs: Number.NaN }],
    ['a negative limit', { hosts: ['a'], silenceMs: -1 }],
  ])('refuses %s', (_name, options) => {
    expect(() => resolveOptions(options)).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })

  test('never repeats a URL, which may have a password in it', () => {
    expect(() => resolveOptions({ connectionStrings: ['postgres//app:secret@db1/shop'] })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('secret') }),
    )
  })
})
