/**
 * The manifests of stacks/kubernetes: what of them can be tested without a cluster. That they are valid was looked at once, against
 * the published schemas: see docs/measure.md.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { measureCommand } from '../../src/cli/measure-command.ts'

interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly data?: Readonly<Record<string, string>>
  readonly spec?: { readonly template: { readonly spec: { readonly containers: readonly Container[] } } }
}

interface Container {
  readonly args: readonly string[]
  readonly env: readonly { readonly name: string }[]
}

const read = (file: string): Manifest[] =>
  parseAllDocuments(readFileSync(`stacks/kubernetes/${file}`, 'utf8')).map(document => {
    expect(document.errors).toEqual([])
    return document.toJS() as Manifest
  })

const manifests = read('measure.yaml')
const job = manifests.find(({ kind }) => kind === 'Job')!.spec!.template.spec.containers[0]!
const script = manifests.find(({ kind }) => kind === 'ConfigMap')!.data!['delete-primary.mjs']!

test('the job calls the command with options that it has', () => {
  const [name, ...args] = job.args
  expect(name).toBe(measureCommand.usage)
  const flags = Object.values(measureCommand.options).map(({ flags }) => flags.split(' ')[0])
  const used = args.filter(arg => arg.startsWith('--'))
  expect(used).toContain('--do')
  expect(used.filter(flag => !flags.includes(flag))).toEqual([])
})

test('the password is in no argument, and comes from the secret of the operator', () => {
  expect(job.env).toContainEqual({
    name: 'PGPASSWORD',
    valueFrom: { secretKeyRef: { name: 'cluster-example-app', key: 'password' } },
  })
  const [cluster] = read('cluster.yaml')
  expect(cluster?.metadata.name).toBe('cluster-example')
})

test('the pod is given a second to end, never none', () => {
  execFileSync(process.execPath, ['--input-type=module', '--check'], { input: script })
  expect([...script.matchAll(/gracePeriodSeconds: (\d+)/g)].map(([, seconds]) => seconds)).toEqual(['1'])
})
