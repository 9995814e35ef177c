import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseInitSql } from '../../../../src/runtime/local/init-sql.ts'
import { catchLabError } from '../../../support/catch-lab-error.ts'

/**
 * What PostgreSQL reads from a literal, by its own rules with standard_conforming_strings on: in '…' only '' is special,
 * in E'…' the backslash is, too. https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-STRINGS
 * @returns undefined if the text is not exactly one literal: then something got out of it.
 */
function readLiteral(text: string): string | undefined {
  const plain = /^'((?:[^']|'')*)'$/.exec(text)
  if (plain !== null) return plain[1]!.replaceAll("''", "'")
  const escaped = /^[eE]'((?:[^'\\]|''|\\[\\'])*)'$/.exec(text)
  return escaped?.[1]!.replaceAll(/''|\\([\\'])/g, (_, character: string | undefined) => character ?? "'")
}

/** What PostgreSQL reads from a quoted identifier: only "" is special. */
const readIdentifier = (text: string): string | undefined => /^"((?:[^"]|"")*)"$/.exec(text)?.[1]!.replaceAll('""', '"')

const AWKWARD = [
  'plain',
  'two words',
  "it's",
  "''",
  "'",
  '"',
  'say "hi"',
  '\\',
  "\\'",
  "\\'; DROP TABLE t; --",
  "'; DROP TABLE t; --",
  '$1',
  '$$',
  '$tag$',
  ':name',
  ":'name'",
  '-- no comment',
  '/* nor this',
  'line\nbreak',
  'a;b',
  'ünïcödé 🐘',
  '',
]
/** PostgreSQL's text holds every character but NUL. */
const text = fc.oneof(
  fc.constantFrom(...AWKWARD),
  fc.string({ unit: fc.constantFrom("'", '"', '\\', '$', ':', ';', ' ', '-', 'a', '\n') }),
  fc.string({ unit: 'grapheme' }).filter(value => !value.includes('\0')),
)

describe('variables', () => {
  test('become one literal, which PostgreSQL reads as the value', () => {
    fc.assert(
      fc.property(text, value => {
        const statements = parseInitSql(`\\getenv password PASSWORD\nSELECT :'password';`, { PASSWORD: value })
        expect(statements).toHaveLength(1)
        expect(readLiteral(statements[0]!.slice('SELECT'.length).trim())).toBe(value)
      }),
      { numRuns: 500, examples: AWKWARD.map(value => [value]) },
    )
  })

  test('become one identifier, which PostgreSQL reads as the name', () => {
    fc.assert(
      fc.property(text, name => {
        const statements = parseInitSql(`\\getenv user USER\nCREATE ROLE :"user";`, { USER: name })
        expect(statements).toHaveLength(1)
        expect(readIdentifier(statements[0]!.slice('CREATE ROLE '.length))).toBe(name)
      }),
      { numRuns: 500, examples: AWKWARD.map(value => [value]) },
    )
  })

  test('are not looked for in what was put in', () => {
    const script = `\\getenv a A\n\\getenv b B\nSELECT :'a', :'b';`
    expect(parseInitSql(script, { A: ":'b'", B: ":'a'" })).toEqual([`SELECT ':''b''', ':''a'''`])
  })

  test('keep an escape string apart from the word before it', () => {
    const [statement] = parseInitSql(`\\getenv a A\nSELECT name:'a';`, { A: '\\' })
    expect(statement).toMatch(/^SELECT name E'\\\\'$/)
  })

  test('are left as they are where the environment has no value, as in psql', () => {
    expect(parseInitSql(`\\getenv a A\nSELECT :'a', :"b";`, {})).toEqual([`SELECT :'a', :"b"`])
  })

  test('take the last value that was set', () => {
    expect(parseInitSql(`\\getenv v A\nSELECT :'v';\n\\getenv v B\nSELECT :'v';`, { A: '1', B: '2' })).toEqual([
      `SELECT '1'`,
      `SELECT '2'`,
    ])
  })

  test.each([
    ['a string', `SELECT ':''v'''`],
    ['a string', `SELECT 'x :"v" y'`],
    ['an escape string', String.raw`SELECT E'\' :"v" '`],
    ['an identifier', `SELECT ":'v'"`],
    ['a dollar quote', `SELECT $$ :'v' $$`],
    ['a tagged dollar quote', `SELECT $f$ :'v' $$ :'v' $f$`],
    ['a cast', `SELECT 1::"v"`],
  ])('are not replaced inside %s: %s', (_, statement) => {
    expect(parseInitSql(`\\getenv v V\n${statement};`, { V: 'value' })).toEqual([statement])
  })
})

describe('statements', () => {
  test('end at a semicolon, the last one also without', () => {
    expect(parseInitSql('SELECT 1;\nSELECT 2', {})).toEqual(['SELECT 1', 'SELECT 2'])
  })

  test('are none where there is nothing but comments, spaces and semicolons', () => {
    expect(parseInitSql('-- nothing; at all\n\n /* nor; here */ ; ;\n', {})).toEqual([])
  })

  test.each([
    `SELECT 'a;b'`,
    `SELECT 'it''s; so'`,
    String.raw`SELECT E'\';', 1`,
    String.raw`SELECT '\', 1`,
    `SELECT ";"`,
    `DO $$ BEGIN NULL; END $$`,
    `DO $body$ BEGIN PERFORM $$;$$; END $body$`,
    `DO $b1$ BEGIN NULL; END $b1$`,
  ])('are not split within %s', statement => {
    expect(parseInitSql(`${statement};SELECT 1;`, {})).toEqual([statement, 'SELECT 1'])
  })

  test('lose their comments, which may hold quotes and semicolons', () => {
    expect(parseInitSql(`SELECT 1 -- it's; one\n, 2 /* "; */;`, {})[0]?.replaceAll(/\s+/g, ' ')).toBe('SELECT 1 , 2')
  })

  test('lose a comment within a comment, which PostgreSQL allows', () => {
    expect(parseInitSql('/* a /* b */ ; c */ SELECT 1;', {})).toEqual(['SELECT 1'])
  })

  test('come back whole, however they are written one after another', () => {
    const part = fc.constantFrom(
      'SELECT 1',
      `SELECT ';'`,
      `SELECT ';;''\\'`,
      String.raw`SELECT E'\';'`,
      'DO $$;$$',
      'DO $a$;$$;$a$',
      'SELECT ";"',
    )
    fc.assert(
      fc.property(fc.array(part), parts => {
        expect(parseInitSql(parts.map(p => `${p};\n`).join(''), {})).toEqual(parts)
      }),
    )
  })
})

describe('backslash commands', () => {
  test.each([
    String.raw`\set ON_ERROR_STOP 1`,
    String.raw`\i other.sql`,
    String.raw`\getenv only`,
    String.raw`\gexec`,
    String.raw`\if true`,
  ])('other than \\getenv are refused: %s', async command => {
    const error = await catchLabError('NODE_FAILED', () => parseInitSql(`SELECT 1;\n${command}\nSELECT 2;`, {}))
    expect(error.message).toContain(command)
    expect(error.hint).toBeDefined()
  })
})

describe('primary-init/10-roles.sql', () => {
  const file = new URL('../../../../primary-init/10-roles.sql', import.meta.url)
  const ENVIRONMENT = {
    REPLICATION_USER: 'replicator',
    REPLICATION_PASSWORD: `it's a \\ "$secret";`,
    LAB_USER: 'the "lab"',
    LAB_PASSWORD: 'lab_password',
    POSTGRES_DB: 'testdb',
    NODE_NAME: 'primary',
    CLUSTER_NODES: 'primary,replica1,replica2',
    PRIMARY_CONNINFO: 'host=primary.replication port=5432',
  }

  test('can be read without psql, with every variable put in', async () => {
    const statements = parseInitSql(await readFile(file, 'utf8'), ENVIRONMENT)
    expect(statements).toContainEqual(
      expect.stringMatching(/^CREATE ROLE "replicator" LOGIN REPLICATION PASSWORD +E'it''s a \\\\ "\$secret";'$/),
    )
    expect(statements).toContainEqual(`CREATE ROLE "the ""lab""" LOGIN REPLICATION PASSWORD 'lab_password'`)
    expect(statements).toContainEqual(`ALTER SYSTEM SET primary_conninfo = 'host=primary.replication port=5432'`)
    expect(statements.filter(statement => /:['"]\w/.test(statement))).toEqual([])
  })
})
