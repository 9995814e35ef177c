/**
 * The package as a stranger gets it. Not by `npm pack` in this tree: that builds anew in `dist`, where other tests look.
 */
import { cp, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../../src/runtime/command.ts'
import { ROOT } from './cli.ts'

const TIMEOUT_MS = 300_000

/** Builds it in `folder`/lab, and packs that. @returns the tarball's path */
export async function packInto(
  folder: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const lab = join(folder, 'lab')
  await mkdir(lab, { recursive: true })
  const does = async (argv: readonly [string, ...string[]], cwd: string): Promise<string> => {
    const { exitCode, stdout, stderr } = await run(argv, { environment, cwd, timeoutMs: TIMEOUT_MS })
    if (exitCode !== 0) throw new Error(stdout + stderr)
    return stdout
  }
  const { files } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { readonly files: string[] }
  const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
  await does([process.execPath, compiler, '--project', 'tsconfig.build.json', '--outDir', join(lab, 'dist')], ROOT)
  for (const name of ['package.json', 'tsconfig.json', ...files.filter(file => file !== 'dist')])
    await cp(join(ROOT, name), join(lab, name), { recursive: true })
  const packed = await does(['npm', 'pack', '--json', '--ignore-scripts', '--pack-destination', folder], lab)
  const [{ filename }] = JSON.parse(packed) as [{ readonly filename: string }]
  return join(folder, filename)
}
