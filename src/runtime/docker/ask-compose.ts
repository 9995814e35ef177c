/**
 * What Docker Compose itself reads in the compose files: it is the truth where it is there.
 * https://docs.docker.com/reference/cli/docker/compose/config/
 */
import { LabError } from '../../errors.ts'
import { parseComposeModel, type ComposeModel } from '../../topology/compose/model.ts'
import type { ComposeSource } from '../../topology/compose/source.ts'
import { lastLines, run } from '../command.ts'

/** It reads files and talks to nobody. */
const TIMEOUT_MS = 60_000

/** @throws LabError COMPOSE_FILE_INVALID, with Compose's words */
export async function askCompose({ documents, variables }: ComposeSource): Promise<ComposeModel> {
  const [{ file }] = documents
  const files = documents.flatMap(document => ['--file', document.file])
  const argv = ['docker', 'compose', ...files, '--ansi', 'never', 'config', '--format', 'json'] as const
  const { exitCode, stdout, stderr } = await run([...argv], { environment: variables, timeoutMs: TIMEOUT_MS })
  if (exitCode === 0) return parseComposeModel(stdout)
  throw new LabError('COMPOSE_FILE_INVALID', `Docker Compose cannot read ${file}: ${lastLines(stderr, 2)}`, {
    hint: `Try it by hand: docker compose --file ${file} config`,
  })
}
