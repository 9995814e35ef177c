/**
 * What the documents say is there.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { catchLabError } from '../support/catch-lab-error.ts'
import { readCorpus } from '../support/compose-corpus.ts'
import { parseTopology } from '../support/topology.ts'

const inDocs = readdirSync('docs', { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.md'))
const documents = ['README.md', 'CONTRIBUTING.md', ...inDocs.map(name => join('docs', name))]
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

describe('the documents on the library', () => {
  const onTheLibrary = documents.filter(
    file =>
      ['library.md', 'router.md'].some(name => file === join('docs', name)) || dirname(file).endsWith('questions'),
  )
  const blocksIn = (file: string, language: string): string[] =>
    [...read(file).matchAll(RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, code = '']) => code)
  const squeezed = (code: string): string => code.replaceAll(/\s+/g, ' ')

  test('show only code that runs in the tests', () => {
    const folder = join('examples', 'library')
    const sources = readdirSync(folder).map(name => squeezed(read(join(folder, name))))
    const blocks = onTheLibrary.flatMap(file => blocksIn(file, 'ts'))
    expect(blocks.length).toBeGreaterThan(8)
    expect(blocks.filter(code => !sources.some(source => source.includes(squeezed(code))))).toEqual([])
  })

  test('show files of CI services that are YAML, and run the tests', () => {
    const [github, gitlab] = blocksIn(join('docs', 'questions', 'ci.md'), 'yaml').map(text => parse(text) as object)
    expect(github).toMatchObject({ jobs: { test: { steps: expect.arrayContaining([{ run: 'npx vitest run' }]) } } })
    expect(gitlab).toMatchObject({ test: { script: ['npx vitest run'] } })
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

describe('docs/applications.md', () => {
  test('shows only code that ran in the matrix of drivers', () => {
    const folder = join('examples', 'drivers', 'src')
    const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'))
    const squeezed = (code: string): string => code.replaceAll(/\s+/g, ' ').trim()
    const sources = names.map(name => squeezed(read(join(folder, name))))
    const blocks = [...read(join('docs', 'applications.md')).matchAll(/^```ts\n(.*?)^```$/gms)].map(
      ([, code = '']) => code,
    )
    expect(blocks.length).toBeGreaterThan(12)
    expect(blocks.filter(code => !sources.some(source => source.includes(squeezed(code))))).toEqual([])
  })
})
