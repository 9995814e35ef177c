/**
 * `completion`: what a shell needs to complete the command line, made from the table of commands.
 */
import { choiceOfWord, type OptionSpec } from '../options/options.ts'
import { command, type Command } from './command.ts'
import { COMMON, commandName } from './program.ts'

const SHELLS = ['bash', 'zsh', 'fish'] as const

/** Of all commands, and so of itself. */
export const completionCommand = (all: () => readonly Command[]): Command =>
  command({
    usage: `completion <${SHELLS.join('|')}>`,
    summary: 'print what makes a shell complete this command line',
    examples: ['completion bash > ~/.local/share/bash-completion/completions/pg-failover-lab'],
    options: {},
    run: ({ words: [word] }) => {
      const shell = choiceOfWord('the shell', SHELLS, word)
      process.stdout.write(shell === 'fish' ? fish(all()) : bash(all(), shell))
      return Promise.resolve(undefined)
    },
  })

interface Completed {
  readonly name: string
  readonly summary: string
  /** That its argument may be. */
  readonly words: readonly string[]
  readonly options: readonly {
    readonly flag: string
    readonly words: readonly string[]
    readonly text: string
    readonly isFile: boolean
  }[]
}

const completed = (definition: Command): Completed => ({
  name: commandName(definition),
  summary: definition.summary,
  words: /[[<](\w+(?:\|\w+)+)[\]>]/.exec(definition.usage)?.[1]?.split('|') ?? [],
  options: [
    ...Object.values<OptionSpec<unknown>>({ ...definition.options, ...COMMON }).map(
      ({ flags, description, choices = [] }) => ({
        flag: flags.split(' ')[0] ?? '',
        text: description,
        words: choices,
        isFile: /<(?:file|path|folder)>/.test(flags),
      }),
    ),
    { flag: '--help', text: 'print its help', words: [], isFile: false },
  ],
})

/** zsh reads it, too, with bashcompinit. https://www.gnu.org/software/bash/manual/html_node/Programmable-Completion-Builtins.html */
function bash(commands: readonly Command[], shell: 'bash' | 'zsh'): string {
  const all = commands.map(completed)
  const values = all.flatMap(({ name, options }) =>
    options.flatMap(({ flag, words, isFile }) => {
      if (isFile) return [`    ${name}\\ ${flag}) COMPREPLY=($(compgen -f -- "$word")); return ;;`]
      return words.length === 0 ? [] : [`    ${name}\\ ${flag}) words='${words.join(' ')}' ;;`]
    }),
  )
  const options = all.map(
    ({ name, words, options: own }) =>
      `      ${name}) words='${[...words, ...own.map(({ flag }) => flag)].join(' ')}' ;;`,
  )
  return `${shell === 'zsh' ? 'autoload -U +X bashcompinit && bashcompinit\n' : ''}_pg_failover_lab() {
  local word=\${COMP_WORDS[COMP_CWORD]} words=''
  COMPREPLY=()
  case "\${COMP_WORDS[1]} \${COMP_WORDS[COMP_CWORD - 1]}" in
${values.join('\n')}
    *) [ "$COMP_CWORD" = 1 ] && words='${all.map(({ name }) => name).join(' ')}' || case \${COMP_WORDS[1]} in
${options.join('\n')}
    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _pg_failover_lab pg-failover-lab
`
}

/** https://fishshell.com/docs/current/completions.html */
function fish(commands: readonly Command[]): string {
  const quoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`
  const lines = commands.map(completed).flatMap(({ name, summary, words: own, options }) => [
    `complete -c pg-failover-lab -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
    ...(own.length === 0
      ? []
      : [`complete -c pg-failover-lab -n '__fish_seen_subcommand_from ${name}' -a ${quoted(own.join(' '))}`]),
    ...options.map(({ flag, words, text, isFile }) => {
      const values = words.length > 0 ? ` -x -a ${quoted(words.join(' '))}` : isFile ? ' -r -F' : ''
      return `complete -c pg-failover-lab -n '__fish_seen_subcommand_from ${name}' -l ${flag.slice(2)}${values} -d ${quoted(text)}`
    }),
  ])
  return `complete -c pg-failover-lab -f\n${lines.join('\n')}\n`
}
