import { describe, expect, test } from 'vitest'
import { Disposer } from '../../src/dispose.ts'

const dispose = (disposer: Disposer): Promise<void> => disposer[Symbol.asyncDispose]()

describe('Disposer', () => {
  test('releases last in, first out, each after the one before has ended', async () => {
    const order: string[] = []
    const disposer = new Disposer()
    for (const name of ['first', 'second', 'third']) {
      disposer.defer(async () => {
        order.push(`${name} begins`)
        await Promise.resolve()
        order.push(`${name} ends`)
      })
    }
    await dispose(disposer)
    expect(order).toEqual(['third begins', 'third ends', 'second begins', 'second ends', 'first begins', 'first ends'])
  })

  test('runs every release although some fail, and throws the first error', async () => {
    const released: string[] = []
    const disposer = new Disposer()
    const failing = (name: string) => () => {
      released.push(name)
      throw new Error(name)
    }
    disposer.defer(() => void released.push('well'))
    disposer.defer(failing('thrown second'))
    disposer.defer(async () => {
      await Promise.resolve()
      failing('thrown first')()
    })
    await expect(dispose(disposer)).rejects.toThrow('thrown first')
    expect(released).toEqual(['thrown first', 'thrown second', 'well'])
  })

  test('releases once, however often it is disposed of, and every caller waits', async () => {
    let releases = 0
    let finish = (): void => undefined
    const disposer = new Disposer()
    disposer.defer(() => new Promise<void>(resolve => ((finish = resolve), releases++)))
    const ended: string[] = []
    const both = [dispose(disposer).then(() => ended.push('first')), dispose(disposer).then(() => ended.push('second'))]
    await Promise.resolve()
    expect(ended).toEqual([])
    finish()
    await Promise.all(both)
    await dispose(disposer)
    expect(releases).toBe(1)
  })

  test('throws the same error to whoever disposes of it again', async () => {
    const disposer = new Disposer()
    disposer.defer(() => Promise.reject(new Error('no')))
    await expect(dispose(disposer)).rejects.toThrow('no')
    await expect(dispose(disposer)).rejects.toThrow('no')
  })

  test('disposes of what it was told to use, and hands it back', async () => {
    let isDisposed = false
    const resource = { name: 'server', [Symbol.asyncDispose]: () => Promise.resolve(void (isDisposed = true)) }
    const disposer = new Disposer()
    expect(disposer.use(resource)).toBe(resource)
    expect(isDisposed).toBe(false)
    await dispose(disposer)
    expect(isDisposed).toBe(true)
  })

  test('runs what is deferred by a release, before the releases that are left', async () => {
    const order: string[] = []
    const disposer = new Disposer()
    disposer.defer(() => void order.push('outer'))
    disposer.defer(() => {
      disposer.defer(() => void order.push('deferred meanwhile'))
      order.push('inner')
    })
    await dispose(disposer)
    expect(order).toEqual(['inner', 'deferred meanwhile', 'outer'])
  })

  test('runs what is deferred after its disposal', async () => {
    let isReleased = false
    const disposer = new Disposer()
    await dispose(disposer)
    disposer.defer(() => void (isReleased = true))
    await dispose(disposer)
    expect(isReleased).toBe(true)
  })

  test('runs what is deferred after a disposal that failed', async () => {
    let isReleased = false
    const disposer = new Disposer()
    disposer.defer(() => Promise.reject(new Error('no')))
    await expect(dispose(disposer)).rejects.toThrow('no')
    disposer.defer(() => void (isReleased = true))
    await dispose(disposer).catch(() => undefined)
    expect(isReleased).toBe(true)
  })

  test('waits for what is deferred while it disposes', async () => {
    let finish = (): void => undefined
    let isReleased = false
    const disposer = new Disposer()
    disposer.defer(() => new Promise<void>(resolve => (finish = resolve)))
    const disposing = dispose(disposer)
    disposer.defer(async () => {
      await Promise.resolve()
      isReleased = true
    })
    finish()
    await disposing
    expect(isReleased).toBe(true)
  })
})
