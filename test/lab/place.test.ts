/**
 * The folders of local clusters: the lab writes to, and removes, what it has made, and nothing else.
 */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { CliCluster, expectRefusal } from '../support/cli.ts'
import { describeEachRuntime } from '../support/runtimes.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'place-'))
  chmodSync(folder, 0o755) // root's servers run as another user
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describeEachRuntime(
  'a folder that is not of the lab',
  () => {
    test.each(['..', '.', '../victim', 'A', 'a.b', ''])('cannot be reached by the project name "%s"', async name => {
      const cluster = await CliCluster.describe('local', { LAB_STATE_DIR: join(folder, 'state') })
      mkdirSync(join(folder, 'state'))
      mkdirSync(join(folder, 'victim'))
      writeFileSync(join(folder, 'victim', 'precious'), 'mine')
      const down = await cluster.runWith({ COMPOSE_PROJECT_NAME: name }, 'down')
      if (name !== '') expectRefusal(down, { exitCode: 2, fact: 'cannot be the name of a Compose project' })
      expect(readdirSync(folder).sort()).toEqual(['state', 'victim'])
      expect(readFileSync(join(folder, 'victim', 'precious'), 'utf8')).toBe('mine')
    })

    test.each(['up', 'down', 'status'])(
      'is left as it is by %s, though it has the name of the project',
      async command => {
        const cluster = await CliCluster.describe('local', { LAB_STATE_DIR: folder })
        const taken = join(folder, cluster.project)
        mkdirSync(taken, { mode: 0o755 })
        writeFileSync(join(taken, 'precious'), 'mine')
        const before = lstatSync(taken)
        expectRefusal(await cluster.run(command), { exitCode: 2, fact: 'was not made by the lab' })
        expect(readdirSync(taken)).toEqual(['precious'])
        expect(lstatSync(taken)).toMatchObject({ mode: before.mode, uid: before.uid })
      },
    )

    test('is not reached through a symbolic link, at its place or below it', async () => {
      const cluster = await CliCluster.describe('local', { LAB_STATE_DIR: join(folder, 'state') })
      const root = join(folder, 'state', cluster.project)
      const elsewhere = join(folder, 'elsewhere')
      mkdirSync(elsewhere, { mode: 0o755 })
      mkdirSync(join(folder, 'state'))
      symlinkSync(elsewhere, root)
      expectRefusal(await cluster.run('up'), { exitCode: 2, fact: "is no folder of the lab's" })
      rmSync(root)
      mkdirSync(root)
      symlinkSync(elsewhere, join(root, 'primary-data'))
      writeFileSync(join(root, '.pg-failover-lab'), '')
      expectRefusal(await cluster.run('up'), { exitCode: 1, fact: 'primary-data is a symbolic link' })
      expect(readdirSync(elsewhere)).toEqual([])
      expect(lstatSync(elsewhere).mode & 0o777).toBe(0o755)
    })
  },
  ['local'],
)

describeEachRuntime(
  'the folder that holds the clusters',
  () => {
    test.each([
      ['goes with the last of them, if the lab has made it', false],
      ['stays, if it was there before', true],
    ])('%s', async (_, isThere) => {
      const state = join(folder, 'state')
      if (isThere) mkdirSync(state)
      await using cluster = await CliCluster.describe('local', { LAB_STATE_DIR: state })
      expect(await cluster.run('up')).toMatchObject({ exitCode: 0 })
      expect(await cluster.run('down')).toMatchObject({ exitCode: 0 })
      expect(existsSync(state)).toBe(isThere)
      if (isThere) expect(readdirSync(state)).toEqual([])
    })

    test('is refused where everybody can change it, and where it cannot be made', async () => {
      const open = join(folder, 'open')
      mkdirSync(open)
      chmodSync(open, 0o777)
      const first = await CliCluster.describe('local', { LAB_STATE_DIR: open })
      expectRefusal(await first.run('up'), { exitCode: 1, fact: 'can be changed by everybody' })
      mkdirSync(join(folder, 'closed'), { mode: 0o700 })
      const closed = await CliCluster.describe('local', { LAB_STATE_DIR: join(folder, 'closed', 'state') })
      // Root's servers run as another user; everybody else's as he himself.
      if (process.getuid?.() === 0)
        expectRefusal(await closed.run('up'), { exitCode: 1, fact: 'who runs the servers, cannot reach' })
      writeFileSync(join(folder, 'file'), '')
      const second = await CliCluster.describe('local', { LAB_STATE_DIR: join(folder, 'file', 'state') })
      expectRefusal(await second.run('up'), { exitCode: 1, fact: 'cannot write into' })
    })
  },
  ['local'],
)
