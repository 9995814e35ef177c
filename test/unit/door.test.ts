/**
 * The library's door: what importing it loads, and that everything it hands out has an example that compiles.
 */
import ts from 'typescript'
import { beforeAll, describe, expect, test } from 'vitest'
import { run } from '../../src/runtime/command.ts'

test('importing the library loads the driver, and neither a client of Docker nor a reader of YAML: they wait until they are asked', async () => {
  const script = `
    import { createRequire } from 'node:module'
    await import('./src/index.ts')
    console.log(Object.keys(createRequire(import.meta.url).cache).join('\\n'))`
  const argv = [process.execPath, '--import', 'tsx', '--input-type=module', '--eval', script] as const
  const { stdout, stderr, exitCode } = await run([...argv], { environment: process.env })
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  expect(stdout).toMatch(/node_modules\/pg\//)
  expect(stdout).not.toMatch(/node_modules\/(?:dockerode|docker-modem|ssh2|yaml)\//)
}, 60_000)

describe('everything that the library hands out', () => {
  let examples: ReadonlyMap<string, string>
  beforeAll(() => void (examples = readExamples()), 60_000)

  test('has an example', () => {
    const without = [...examples].flatMap(([name, code]) => (code === '' ? [name] : []))
    expect(without).toEqual([])
    expect(examples.size).toBeGreaterThan(50)
  })

  test('has an example that compiles', () => {
    const functions = [...examples].map(([, code], at) => `async function example${at}() {\n${code}\n}`)
    const source = [
      `import { ${[...examples.keys()].join(', ')}, type Condition } from './index.ts'`,
      ...['declare const cluster: Cluster', ...functions],
    ].join('\n')
    expect(diagnosticsOf(source)).toEqual([])
    expect(diagnosticsOf(source.replace("'crash'", "'crush'")), 'what does not is found').not.toEqual([])
  }, 60_000)
})

const DOOR = 'src/index.ts'
const { options: OPTIONS } = ts.parseJsonConfigFileContent(
  ts.readConfigFile('tsconfig.json', path => ts.sys.readFile(path)).config,
  ts.sys,
  '.',
)

/** Each value of the door and the code of its example, or ''. */
function readExamples(): ReadonlyMap<string, string> {
  const program = ts.createProgram([DOOR], OPTIONS)
  const checker = program.getTypeChecker()
  const door = checker.getSymbolAtLocation(program.getSourceFile(DOOR)!)!
  const found = new Map<string, string>()
  for (const exported of checker.getExportsOfModule(door)) {
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
    const isType = exported.declarations?.some(ts.isTypeOnlyExportDeclaration) === true
    if (isType || !(symbol.flags & ts.SymbolFlags.Value)) continue
    const tag = symbol.getJsDocTags(checker).find(({ name }) => name === 'example')
    found.set(exported.name, /```ts\n(.*)\n```/s.exec(ts.displayPartsToString(tag?.text))?.[1] ?? '')
  }
  return found
}

function diagnosticsOf(source: string): string[] {
  const file = 'src/examples-of-the-door.ts'
  const options = { ...OPTIONS, noEmit: true, noUnusedLocals: false, noUnusedParameters: false }
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists } = host
  host.fileExists = path => path === file || fileExists(path)
  host.getSourceFile = (path, version) =>
    path === file ? ts.createSourceFile(path, source, version) : getSourceFile(path, version)
  const program = ts.createProgram([file], options, host)
  const diagnostics = ts.getPreEmitDiagnostics(program, program.getSourceFile(file))
  return diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
}
