/**
 * What goes wrong on people's machines: each says what it is and what to do, and counts as failed (1) or used wrongly (2).
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { run } from '../../src/runtime/command.ts'
import { CliCluster, expectAllStreaming, expectRefusal, ROOT } from '../support/cli.ts'
import { ALSO_ON_DOCKER, describeEachRuntime, TEST_STATE_DIR, type TestRuntime } from '../support/runtimes.ts'

describe('without anything to run on', () => {
  test('neither an engine nor PostgreSQL: says both, and how to get either', async () => {
    const cluster = await CliCluster.describe('local', {
      LAB_RUNTIME: '',
      DOCKER_HOST: 'unix:///nonexistent',
      LAB_PG_BIN: '/nonexistent',
    })
    const result = await cluster.run('up')
    expectRefusal(result, {
      exitCode: 1,
      fact: /no Docker Engine answers.*and LAB_PG_BIN \(\/nonexistent\) has no PostgreSQL/s,
      hint: 'Start Docker, or install PostgreSQL',
    })
  })

  test('Docker was asked for, and no engine answers', async () => {
    const cluster = await CliCluster.describe('docker', { DOCKER_HOST: 'unix:///nonexistent' })
    expectRefusal(await cluster.run('up'), { exitCode: 1, fact: 'no Docker Engine answers', hint: 'LAB_RUNTIME=local' })
  })

  test('local was asked for, and there is no PostgreSQL', async () => {
    const cluster = await CliCluster.describe('local', { LAB_PG_BIN: '/nonexistent' })
    expectRefusal(await cluster.run('up'), {
      exitCode: 1,
      fact: 'LAB_PG_BIN (/nonexistent) has no PostgreSQL',
      hint: 'pg_config --bindir',
    })
  })
})

describeEachRuntime(
  'an image that is not here and cannot be pulled',
  runtime => {
    test('is named, with how to name another', async () => {
      await using cluster = await CliCluster.describe(runtime, { POSTGRES_IMAGE: 'localhost/labtest-absent:1' })
      expectRefusal(await cluster.run('up'), {
        exitCode: 1,
        fact: 'localhost/labtest-absent:1 is not here and cannot be pulled',
        hint: 'POSTGRES_IMAGE',
      })
    })
  },
  ['docker'],
)

describe('a compose file', () => {
  const whole = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8')

  test('that is missing', async () => {
    const cluster = await CliCluster.describe('local')
    expectRefusal(await cluster.run('up', '--file', '/nonexistent/docker-compose.yml'), {
      exitCode: 2,
      fact: '/nonexistent/docker-compose.yml',
      hint: '--file',
    })
    expectRefusal(await cluster.runWith({ LAB_COMPOSE_FILE: '/nonexistent/compose.yml' }, 'status'), {
      exitCode: 2,
      fact: '/nonexistent/compose.yml',
      hint: 'LAB_COMPOSE_FILE',
    })
  })

  test.each([
    ['cannot be parsed', 'services: [', 'as YAML', 'docker compose config'],
    [
      'has no primary',
      whole.replace('FIRST_START: initdb', 'FIRST_START: clone'),
      'no service that starts as the primary',
      'FIRST_START: initdb',
    ],
    [
      'uses a variable without a value',
      whole.replace('${POSTGRES_DB:-testdb}', '${LABTEST_DATABASE}'),
      'POSTGRES_DB is empty in its environment',
      '${NAME:-value}',
    ],
    [
      'uses a variable that must have a value',
      whole.replace('${POSTGRES_DB:-testdb}', '${LABTEST_DATABASE:?}'),
      'LABTEST_DATABASE',
      '${LABTEST_DATABASE:-value}',
    ],
    [
      'gives two nodes one port',
      whole.replace('${REPLICA1_PORT:-5433}', '${PRIMARY_PORT:-5432}'),
      'as primary has',
      'a port of its own',
    ],
  ])('that %s', async (_, text, fact, hint) => {
    using folder = composeFolder(text)
    const cluster = await CliCluster.describe('local')
    for (const command of ['up', 'status', 'down'])
      expectRefusal(await cluster.run(command, '--file', folder.file), { exitCode: 2, fact, hint })
  })
})

describeEachRuntime('a cluster that cannot come up', cannotComeUp, ALSO_ON_DOCKER)

function cannotComeUp(runtime: TestRuntime): void {
  test('because a port is taken: says by whom, and how to choose another', async () => {
    await using cluster = await CliCluster.describe(runtime)
    await using _server = await listen(cluster.port('replica1'))
    const result = await cluster.run('up')
    const port = cluster.port('replica1')
    expectRefusal(result, {
      exitCode: 1,
      fact: `port ${port} on 127.0.0.1, meant for replica1, is taken by`,
      hint: 'REPLICA1_PORT=',
    })
    expect(result.stderr, 'this very process').toContain(`(process ${process.pid})`)
  })

  test('because the server refuses its settings: says what the server said, and comes up once they are mended', async () => {
    const whole = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8')
    using folder = composeFolder(whole.replace('--hot_standby=on', '--shared_buffers=nonsense'))
    await using cluster = await CliCluster.describe(runtime, { LAB_COMPOSE_FILE: folder.file })
    expectRefusal(await cluster.run('up'), {
      exitCode: 1,
      fact: 'invalid value for parameter "shared_buffers": "nonsense"',
      hint: 'pnpm run',
    })
    writeFileSync(folder.file, whole)
    expect(await cluster.run('up')).toMatchObject({ exitCode: 0, stderr: '' })
    await expectAllStreaming(cluster)
  })
}

// With another password, Compose would replace its containers.
describeEachRuntime('a cluster that is up', keepsItsPassword, ALSO_ON_DOCKER)

function keepsItsPassword(runtime: TestRuntime): void {
  test('refuses another password than the one it was made with', async () => {
    await using cluster = await CliCluster.up(runtime)
    const result = await cluster.runWith({ LAB_PASSWORD: 'another' }, 'status')
    expectRefusal(result, { exitCode: 1, fact: /refused user lab/, hint: 'keeps the passwords it was made with' })
    expectRefusal(await cluster.runWith({ LAB_PASSWORD: 'another' }, 'up'), {
      exitCode: 1,
      fact: /refused user lab/,
      hint: 'keeps the passwords it was made with',
    })
    expect((await cluster.run('up')).exitCode, 'with the right one all is well').toBe(0)
    await expectAllStreaming(cluster)
  })
}

describeEachRuntime('a cluster that is up', runtime => {
  test('is not mistaken for another cluster on the same ports', async () => {
    await using first = await CliCluster.up(runtime)
    const { PRIMARY_PORT, REPLICA1_PORT, REPLICA2_PORT } = first.environment
    await using second = await CliCluster.describe(runtime, { PRIMARY_PORT, REPLICA1_PORT, REPLICA2_PORT })
    expectRefusal(await second.run('up'), {
      exitCode: 1,
      fact: `port ${PRIMARY_PORT} on 127.0.0.1, meant for primary, is taken by`,
      hint: 'PRIMARY_PORT=',
    })
    const other = await second.runWith({ LAB_PASSWORD: 'another' }, 'status')
    expectRefusal(other, { exitCode: 1, fact: 'of this cluster', hint: 'choose other ports' })
    const same = await second.run('status')
    expectRefusal(same, { exitCode: 1, fact: 'of this cluster', hint: 'choose other ports' })
    expectRefusal(await second.run('failover'), { exitCode: 1, fact: 'is taken by' })
    await expectAllStreaming(first)
  })
})

const mayMount = process.platform === 'linux' && process.getuid?.() === 0

describeEachRuntime(
  'a disk that is full while a standby is cloned',
  runtime => {
    test.skipIf(!mayMount)(
      `is said, with the node's name; with room again, up works${mayMount ? '' : ' (left out: only root on Linux can mount a small disk)'}`,
      async () => {
        await using cluster = await CliCluster.describe(runtime)
        {
          await using _disk = await smallDisk(join(TEST_STATE_DIR, cluster.project, 'replica1-data'))
          // Whoever prepares a folder for the lab has to say that it is the lab's.
          writeFileSync(join(TEST_STATE_DIR, cluster.project, '.pg-failover-lab'), '')
          const result = await cluster.run('up')
          expectRefusal(result, { exitCode: 1, fact: /replica1.*(no space left on device|\b0 MB are free)/is })
          expect(await cluster.run('down', '--keep-data')).toMatchObject({ exitCode: 0, stderr: '' })
        }
        expect(await cluster.run('up')).toMatchObject({ exitCode: 0, stderr: '' })
        expect(await expectAllStreaming(cluster)).toBe('primary')
      },
    )
  },
  ['local', 'npm'],
)

/** A compose file of the test's own, with the folders that it binds. */
function composeFolder(text: string): { readonly file: string } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), 'labtest-compose-'))
  for (const name of ['primary-init', 'replica-entrypoint'])
    cpSync(join(ROOT, name), join(folder, name), { recursive: true })
  const file = join(folder, 'docker-compose.yml')
  writeFileSync(file, text)
  return { file, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) }
}

async function listen(port: number): Promise<AsyncDisposable> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  return { [Symbol.asyncDispose]: () => new Promise(resolve => server.close(() => resolve())) }
}

/** Less than a clone takes: an empty database has some 25 MB, and 16 MB of WAL. */
async function smallDisk(folder: string): Promise<AsyncDisposable> {
  mkdirSync(folder, { recursive: true })
  const environment = process.env
  expect(await run(['mount', '-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', folder], { environment })).toMatchObject({
    exitCode: 0,
  })
  return {
    [Symbol.asyncDispose]: async () => {
      expect(await run(['umount', folder], { environment })).toMatchObject({ exitCode: 0 })
    },
  }
}
