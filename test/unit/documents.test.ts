/**
 * What the documents say is there.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { catchLabError } from '../support/catch-lab-error.ts'
import { readCorpus } from '../support/compose-corpus.ts'
import { parseTopology } from '../support/topology.ts'

const documents = ['README.md', 'CONTRIBUTING.md', ...readdirSync('docs').map(name => join('docs', name))]
const read = (file: string): string => readFileSync(file, 'utf8')
const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: Readonly<Record<string, string>> }

/** The commands that a text tells its reader to type. */
const commandsIn = (text: string): string[] =>
  [...text.matchAll(/\b(?:pnpm(?:@\d+)?(?: --silent)?|npm) run ([a-z][a-z:-]*)/g)].map(([, name]) => name ?? '')

test('the README is one page', () => {
  expect(read('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(150)
})

describe.each(documents)('%s', file => {
  const text = read(file)

  test('names no command that is gone', () => {
    expect(commandsIn(text).filter(name => !(name in scripts))).toEqual([])
  })

  test('says of every console block which command has printed it', () => {
    const blocks = [...text.matchAll(/^```console\n(.*)$/gm)].map(([, first]) => first ?? '')
    expect(blocks.filter(first => commandsIn(first).length === 0 || !first.startsWith('$ '))).toEqual([])
  })

  test('links to what is there', () => {
    const links = [...text.matchAll(/\]\(([^)#]+)(?:#([^)]*))?\)/g)].filter(([, target]) => !target?.includes('://'))
    const broken = links.filter(([, target = '', anchor]) => {
      const linked = join(dirname(file), target)
      return !existsSync(linked) || (anchor !== undefined && !anchorsIn(read(linked)).includes(anchor))
    })
    expect(broken.map(([link]) => link)).toEqual([])
  })
})

describe('docs/configuration.md', () => {
  const text = read('docs/configuration.md')

  test('shows a file that is one of the lab, and without a password none', async () => {
    const [, example = ''] = /^```yaml\n(.*?)^```$/ms.exec(text) ?? []
    const variables = { POSTGRES_PASSWORD: 'a', REPLICATION_PASSWORD: 'b', LAB_PASSWORD: 'c' }
    const { nodes } = parseTopology(example, { file: '/lab/docker-compose.yml', variables })
    expect(nodes.map(({ name }) => name)).toEqual(['one', 'two'])
    await catchLabError('UNKNOWN_VARIABLE', () => parseTopology(example, { file: '/lab/docker-compose.yml' }))
    for (const name of Object.keys(nodes[0]!.environment))
      expect(text.replace(example, ''), 'explained below it').toContain(name.replace(/^.*_(PASSWORD|DB)$/, '_$1'))
  })

  test('counts the files that Compose has answered on', async () => {
    const { cases, version } = await readCorpus()
    expect(text).toContain(`[${cases.length} files]`)
    expect(text.replaceAll('\n', ' ')).toContain(`Docker Compose ${/^\d+\.\d+/.exec(version)?.[0]} answers`)
  })
})

/** As GitHub makes them of headings. */
const anchorsIn = (text: string): string[] =>
  [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  )

test('the README lists every command', () => {
  const text = read('README.md')
  const commands = Object.keys(scripts).filter(name => scripts[name]?.startsWith('tsx src/cli/main.ts '))
  expect(commands.filter(name => !text.includes(`run ${name}`) && !text.includes(`\`${name} `))).toEqual([])
})
