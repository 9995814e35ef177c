/**
 * What Patroni has left in a data directory is taken out of it before the lab's entrypoint starts a server there.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'after-patroni-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const write = (name: string, text: string): void => writeFileSync(join(folder, name), text)

function undo(): void {
  const script = '. replica-entrypoint/after-patroni.sh; say() { :; }; undo_patroni'
  const environment = { ...process.env, PGDATA: folder, PRIMARY_CONNINFO: "host='a'" }
  execFileSync('bash', ['-euo', 'pipefail', '-c', script], { env: environment })
}

test('a lock file of a killed server goes: another process may have its number, and PostgreSQL would not start', () => {
  write('postgresql.base.conf', 'max_connections = 100\n')
  write('postgresql.conf', "include 'postgresql.base.conf'\n")
  write('postgresql.auto.conf', "primary_conninfo = 'gone'\nwork_mem = '4MB'\n")
  write('patroni.dynamic.json', '{}')
  write('postmaster.pid', `${process.pid}\n`)
  undo()
  expect(readdirSync(folder).sort()).toEqual(['postgresql.auto.conf', 'postgresql.conf'])
  expect(readFileSync(join(folder, 'postgresql.conf'), 'utf8')).toBe('max_connections = 100\n')
  expect(readFileSync(join(folder, 'postgresql.auto.conf'), 'utf8')).toBe(
    "work_mem = '4MB'\nprimary_conninfo = 'host=''a'''\n",
  )
})

test('data that Patroni has not managed is left as it is', () => {
  write('postmaster.pid', '7\n')
  undo()
  expect(readdirSync(folder)).toEqual(['postmaster.pid'])
})
