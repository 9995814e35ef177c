import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { demo } from '../../../src/demo/demo.ts'
import {
  choiceOption,
  countOption,
  durationOption,
  flagOption,
  listOption,
  fileOption,
  textOption,
  textsOption,
} from '../../../src/options/options.ts'
import { catchLabError } from '../../support/catch-lab-error.ts'

const ABOUT = { name: 'd', title: 'D', question: 'Q?', learnt: 'L.', summary: 's' }

describe('a time', () => {
  const settle = durationOption('--settle <time>', '60s', 'look for so long')
  const most = durationOption('--max-outage <time>', undefined, 'fail if longer')

  test('is a number and a unit, in milliseconds; its standard is told to the help', () => {
    expect(settle.parse(undefined)).toBe(60_000)
    expect(settle.description).toBe('look for so long (default: 60s)')
    expect(most.parse(undefined)).toBeUndefined()
    expect(['500ms', '1.5s', '2min', '1h', '0'].map(given => most.parse([given]))).toEqual([
      500, 1500, 120_000, 3_600_000, 0,
    ])
  })

  test.each(['5', '5 apples', '-1s', '', '1m', '100d'])('is not %j', async given => {
    const { message, hint } = await catchLabError('USAGE', () => settle.parse([given]))
    expect(message).toBe(`--settle is "${given}"`)
    expect(hint).toContain('500ms, 30s')
  })
})

describe('a count', () => {
  const rate = countOption('--rate <n>', { min: 1, max: 10_000, standard: 200 }, 'writes a second')
  const limit = countOption('--limit <n>', { min: 0, max: 5 }, 'at most so many')

  test('has its standard where it is not given, and says so to the help', () => {
    expect(rate.parse(undefined)).toBe(200)
    expect(rate).toMatchObject({ flags: '--rate <n>', default: 200 })
  })

  test('without a standard may be left out, and has no default at all', () => {
    expect(limit.parse(undefined)).toBeUndefined()
    expect(limit).not.toHaveProperty('default')
  })

  test('takes its limits themselves', () => {
    expect([rate.parse(['1']), rate.parse(['10000']), limit.parse(['0']), limit.parse(['5'])]).toEqual([
      1, 10_000, 0, 5,
    ])
  })

  test('takes whole numbers within its limits alone', () => {
    fc.assert(
      fc.property(fc.oneof(fc.integer({ min: -5, max: 20 }), fc.double()), value => {
        const isRight = Number.isInteger(value) && value >= 0 && value <= 5
        const given = String(value)
        if (isRight) expect(limit.parse([given])).toBe(Number(given))
        else expect(() => limit.parse([given])).toThrow(expect.objectContaining({ code: 'USAGE' }))
      }),
    )
  })

  test.each(['0', '10001', '-1', '1.5', 'many', '12 a', '0x10', '1e3', '', ' 5', '٣', '1,2'])(
    'refuses %j with its limits',
    async value => {
      const error = await catchLabError('USAGE', () => rate.parse([value]))
      expect(error.message).toBe(`--rate is "${value}"`)
      expect(error.hint).toBe('It is a whole number from 1 to 10000.')
    },
  )
})

describe('a list', () => {
  const commits = listOption('--commit <values>', ['off', 'local', 'on'], 'which to try')

  test('has all words where it is not given, and names them in the help', () => {
    expect(commits.parse(undefined)).toEqual(['off', 'local', 'on'])
    expect(commits.description).toBe('which to try, with commas: off,local,on (default: all)')
  })

  test('has each word once, in its own order, whatever the order they are given in', () => {
    expect(commits.parse(['on,off'])).toEqual(['off', 'on'])
    expect(commits.parse(['on,on'])).toEqual(['on'])
    expect(commits.parse(['on', 'local'])).toEqual(['local', 'on'])
  })

  test.each([
    ['on,remote', 'remote'],
    ['', ''],
    ['on,', ''],
    ['on, off', ' off'],
    ['ON', 'ON'],
    ['7', '7'],
  ])('refuses %j for the first word that is not in it', async (value, stranger) => {
    const error = await catchLabError('USAGE', () => commits.parse([value]))
    expect(error.message).toBe(`--commit has "${stranger}"`)
    expect(error.hint).toContain('off, local, on')
  })

  test('is never empty', () => {
    const words = fc.oneof(fc.constantFrom('off', 'local', 'on'), fc.string())
    fc.assert(
      fc.property(fc.array(words, { maxLength: 4 }), given => {
        const isKnown = given.length > 0 && given.every(word => ['off', 'local', 'on'].includes(word))
        if (isKnown) expect(new Set(commits.parse([given.join(',')]))).toEqual(new Set(given))
        else expect(() => commits.parse([given.join(',')])).toThrow(expect.objectContaining({ code: 'USAGE' }))
      }),
    )
  })
})

describe('texts', () => {
  const standby = textsOption('--standby <url>', 'a standby; once for each')

  test('are as many as were given, in their order', () => {
    expect(standby.parse(undefined)).toEqual([])
    expect(standby.parse(['a'])).toEqual(['a'])
    expect(standby.parse(['b', 'a', 'b'])).toEqual(['b', 'a', 'b'])
  })

  test('stay as they were typed', () => {
    expect(standby.parse(['007', '0x10', '1e3'])).toEqual(['007', '0x10', '1e3'])
    expect(textOption('--to <node>', 'which').parse(['007'])).toBe('007')
  })
})

describe('the other options', () => {
  test('a text is undefined where it is not given', () => {
    const to = textOption('--to <node>', 'which standby')
    expect([to.parse(['replica1']), to.parse(undefined), to.parse(true)]).toEqual(['replica1', undefined, undefined])
  })

  test('a flag is false unless it is given', () => {
    const liars = flagOption('--liars', 'compare')
    expect([true, false, undefined].map(value => liars.parse(value))).toEqual([true, false, false])
  })

  test('a choice is one of its words, the first by default, and refuses others with all of them', async () => {
    const fault = choiceOption('--fault <fault>', ['crash', 'isolate'], 'what happens')
    expect(fault).toMatchObject({ default: 'crash', description: 'what happens: crash or isolate' })
    expect(fault.parse(['isolate'])).toBe('isolate')
    const error = await catchLabError('USAGE', () => fault.parse(['flood']))
    expect([error.message, error.hint]).toEqual(['--fault is "flood"', 'It is crash or isolate.'])
  })
})

describe('a demo', () => {
  test('is declared without running', () => {
    const declared = demo({ ...ABOUT, options: {} }, async () => {
      throw new Error('it ran')
    })
    expect(declared).toMatchObject({ ...ABOUT, options: {} })
  })
})

describe('a file to write', () => {
  const report = fileOption('--report <file>', 'a page')

  test('may be left out, be new in a folder that is there, or be there already', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lab-demo-'))
    try {
      const file = join(folder, 'r.html')
      expect(report.parse(undefined)).toBeUndefined()
      expect(report.parse([file])).toBe(file)
      await writeFile(file, '')
      expect(report.parse([file])).toBe(file)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test.each(['/no/such/folder/r.html', tmpdir()])('is refused before the work where it cannot be: %s', async file => {
    const error = await catchLabError('USAGE', () => report.parse([file]))
    expect(error.message).toContain(`cannot write ${file}`)
    expect(error.hint).toContain('a folder that is there')
  })
})
