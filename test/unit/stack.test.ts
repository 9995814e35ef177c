/**
 * What is read of the stack's programs, from answers that they gave.
 */
import { describe, expect, test } from 'vitest'
import { parseWays } from '../../src/stack/haproxy.ts'
import { requireSame } from '../../src/stack/identity.ts'
import { parseLock } from '../../src/stack/status.ts'
import { catchLabError } from '../support/catch-lab-error.ts'

describe('the lock of the primary', () => {
  const key = JSON.stringify({ kvs: [{ value: Buffer.from('replica1').toString('base64') }] })

  test('is as old as what is gone of its lease', () => {
    const lease = JSON.stringify({ ttl: 23, 'granted-ttl': 30 })
    expect(parseLock(`${key}\n${lease}\n`)).toEqual({ holder: 'replica1', ttlS: 30, endsInS: 23, ageS: 7 })
  })

  test('is held by nobody where there is no key, or its lease has ended', () => {
    expect(parseLock('{"header":{}}\n')).toBeUndefined()
    expect(parseLock(`${key}\n${JSON.stringify({ ttl: -1, 'granted-ttl': 0 })}\n`)).toBeUndefined()
  })
})

describe('the ways of HAProxy', () => {
  test('are the servers that are up, and none that is going down', () => {
    const csv = [
      '# pxname,svname,qcur,status',
      ...['primary,primary,0,DOWN', 'primary,replica1,0,UP', 'primary,BACKEND,0,UP'],
      ...['standbys,primary,0,UP 1/2', 'standbys,replica1,0,DOWN 1/2', 'stats,FRONTEND,0,OPEN'],
    ]
    expect(parseWays(`${csv.join('\n')}\n`)).toEqual({ primary: ['replica1'], standbys: ['primary'] })
  })
})

describe('data that a node had before', () => {
  const was = { node: 'replica1', systemIdentifier: '7', madeAt: 1_000 }

  test('is the same while its system and its age are', () => expect(() => requireSame([was], [was])).not.toThrow())

  test.each([
    ['another system', [{ ...was, systemIdentifier: '8' }]],
    ['a clone', [{ ...was, madeAt: 2_000 }]],
    ['a node that is gone', []],
  ])('is not the same: %s', async (_, now) => {
    const { message } = await catchLabError('CLONE_FAILED', () => requireSame([was], now))
    expect(message).toBe('replica1 did not keep its data: it was made anew')
  })
})
