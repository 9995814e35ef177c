import { expect, test } from 'vitest'
import { Gate } from '../../../src/router/gate.ts'

test('lets through, and holds what comes while it is closed', async () => {
  const gate = new Gate()
  await gate.pass()
  gate.close()
  const passed: number[] = []
  const waiting = [1, 2].map(async number => {
    await gate.pass()
    passed.push(number)
  })
  await Promise.resolve()
  expect({ passed, waiting: gate.waiting }).toEqual({ passed: [], waiting: 2 })
  gate.open()
  await Promise.all(waiting)
  expect({ passed, waiting: gate.waiting }).toEqual({ passed: [1, 2], waiting: 0 })
})

test('is drained when the last one has left', async () => {
  const gate = new Gate()
  gate.enter()
  gate.enter()
  expect(await gate.drained(1)).toBe(false)
  const drained = gate.drained(60_000)
  gate.leave()
  gate.leave()
  expect(await drained).toBe(true)
  expect(await gate.drained(0)).toBe(true)
})
