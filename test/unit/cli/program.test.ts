import { describe, expect, test } from 'vitest'
import { createProgram, type Typed } from '../../../src/cli/program.ts'
import { commands } from '../../../src/cli/table.ts'
import type { Command } from '../../../src/cli/command.ts'

/** What the command would be run with. */
async function parsed(line: readonly string[]): Promise<{ name: string; words: readonly string[]; options: unknown }> {
  const seen: { command: Command; typed: Typed }[] = []
  const program = createProgram({
    commands,
    version: '0',
    asTyped: text => text,
    execute: (command, typed) => Promise.resolve(void seen.push({ command, typed })),
  })
  await program.parseAsync([...line], { from: 'user' })
  const [{ command, typed } = { command: undefined, typed: undefined }] = seen
  if (command === undefined) throw new Error('nothing was run')
  const options = Object.entries(command.options).map(([name, spec]) => [name, spec.parse(typed.given(spec))])
  return { name: command.usage, words: typed.words, options: Object.fromEntries(options) as unknown }
}

describe('the command line', () => {
  const examples = commands.flatMap(({ examples: lines = [], usage }) => lines.map(line => ({ line, usage })))

  test.each(examples)('understands its own example: $line', async ({ line, usage }) => {
    const words = line.replace(/ > .*/, '').match(/'[^']*'|\S+/g) ?? []
    expect((await parsed(words)).name).toBe(usage)
  })

  test('has an example of every command', () => {
    expect(commands.filter(({ examples: lines = [] }) => lines.length === 0)).toEqual([])
  })

  test('takes a value as text, the last one where there are two, and gives an option its own by its flag', async () => {
    const { options } = await parsed([
      'failover',
      '--report',
      '007',
      '--to',
      '1e3',
      '--to',
      '0x10',
      '--step',
      '--no-rejoin',
    ])
    expect(options).toMatchObject({
      report: '007',
      to: '0x10',
      stepwise: true,
      rejoin: false,
      trials: 1,
      fault: 'crash',
    })
    expect((await parsed(['failover'])).options).toMatchObject({ stepwise: false, rejoin: true, report: undefined })
  })

  test('hands on to psql what is not its own', async () => {
    const { words } = await parsed(['psql', 'standby', '-Atc', 'SELECT 1', '--runtime', 'local', '--set=x=1'])
    expect(words).toEqual(['standby', '-Atc', 'SELECT 1', '--set=x=1'])
    expect((await parsed(['psql', '--', '--csv', '-c', 'SELECT 1'])).words).toEqual(['--csv', '-c', 'SELECT 1'])
  })

  test.each([
    [['failover', '--rate'], 'argument missing'],
    [['status', '--rate', '1'], "unknown option '--rate'"],
    [['status', 'primary'], 'does not take "primary"'],
    [['salvage'], 'missing required argument'],
    [['nothing'], "unknown command 'nothing'"],
  ])('refuses %j', async (line, fact) => {
    await expect(parsed(line)).rejects.toThrow(fact)
  })
})
