import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { commandLine } from '../../../src/cli/command-line.ts'

test('a command line can be typed again', () => {
  const words = ['measure', '--do', `psql -c "SELECT '1'" && echo $HOME *`, '--label', '', '--rate', '100']
  const echoed = execFileSync('sh', ['-c', `printf '%s\\n' ${commandLine(words)}`], { encoding: 'utf8' })
  expect(echoed.split('\n').slice(0, -1)).toEqual(words)
  expect(commandLine(['failover', '--to', 'replica1', '--report', 'a/b.html'])).toBe(
    'failover --to replica1 --report a/b.html',
  )
})

describe('has no password', () => {
  test.each([
    ['postgresql://app:hunter2@db1:5432/app', 'postgresql://app:***@db1:5432/app'],
    ['postgresql://app:hun@ter2@db1/app?sslmode=require', 'postgresql://app:***@db1/app?sslmode=require'],
    ['postgres://:hunter2@db1/app', 'postgres://:***@db1/app'],
    [
      'postgresql://app@db1/app?password=hunter2&sslmode=require',
      'postgresql://app@db1/app?password=***&sslmode=require',
    ],
    ["psql 'host=db1 password=hunter2 user=app'", "psql 'host=db1 password=*** user=app'"],
    [`psql "host=db1 password='hunter2 x'"`, 'psql "host=db1 password=***"'],
    ['PGPASSWORD=hunter2 psql -h db1', 'PGPASSWORD=*** psql -h db1'],
    [`PGPASSWORD='hunter2 x' psql`, 'PGPASSWORD=*** psql'],
  ])('%s', (typed, kept) => {
    expect(commandLine([typed])).toBe(commandLine([kept]))
    expect(commandLine([typed])).not.toContain('hunter2')
  })

  test.each(['postgresql://app@db1:5432/app', 'kubectl delete pod a:b@c', 'https://example.org/a:b@c'])(
    '%s, and is left as it is',
    typed => {
      expect(commandLine([typed])).toContain(typed)
    },
  )
})
