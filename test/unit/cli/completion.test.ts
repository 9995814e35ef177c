import { execFileSync } from 'node:child_process'
import { describe, expect, test, vi } from 'vitest'
import { commands } from '../../../src/cli/table.ts'
import type { CommandContext } from '../../../src/cli/command.ts'

async function printed(shell: string): Promise<string> {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  try {
    await commands.at(-1)?.run({ words: [shell] } as unknown as CommandContext)
    return String(write.mock.calls[0]?.[0])
  } finally {
    write.mockRestore()
  }
}

/** What bash offers for the last of these words. */
function offered(script: string, line: string): string[] {
  const words = line.split(' ')
  const ask = `${script}\nCOMP_WORDS=(${words.map(word => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _pg_failover_lab; printf '%s\\n' "\${COMPREPLY[@]}"`
  return execFileSync('bash', ['-c', ask], { encoding: 'utf8' }).trim().split('\n')
}

describe('completion', () => {
  test('in bash offers the commands, the options of one, and the words of an option', async () => {
    const script = await printed('bash')
    expect(offered(script, 'pg-failover-lab ')).toEqual(commands.map(({ usage }) => usage.split(' ')[0]))
    expect(offered(script, 'pg-failover-lab fail')).toEqual(['failover'])
    expect(offered(script, 'pg-failover-lab failover --re')).toEqual(['--report'])
    expect(offered(script, 'pg-failover-lab failover --fault ')).toEqual(['crash', 'stop'])
    expect(offered(script, 'pg-failover-lab sync --no')).toEqual([''])
    expect(offered(script, 'pg-failover-lab sync ').slice(0, 3)).toEqual(['off', 'one', 'quorum'])
    expect(offered(script, 'pg-failover-lab completion z')).toEqual(['zsh'])
  })

  test('in zsh and fish knows every command and option, too', async () => {
    expect(await printed('zsh')).toMatch(/^autoload -U \+X bashcompinit/)
    const fish = await printed('fish')
    for (const { usage, options } of commands.slice(0, -1)) {
      const name = usage.split(' ')[0]
      expect(fish).toContain(` -a ${name} -d `)
      for (const { flags } of Object.values(options))
        expect(fish).toContain(`__fish_seen_subcommand_from ${name}' -l ${flags.split(' ')[0]?.slice(2)}`)
    }
  })
})
