/**
 * The commands that manage the cluster: up, down, psql, logs.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { describeStatus } from '../cluster/conditions.ts'
import { primaryOf, standbysOf } from '../cluster/node-status.ts'
import { up } from '../operations/up.ts'
import { connectionUrl } from '../postgres/conninfo.ts'
import { countOption, flagOption } from '../options/options.ts'
import { LabError, messageOf } from '../errors.ts'
import { removeAbandoned } from '../temporary-cluster.ts'
import { formatMs } from '../report/format.ts'
import type { Narrator } from '../report/narrator.ts'
import { marked, withoutEscapes } from '../report/plain-text.ts'
import { tellStatus } from './tell-status.ts'
import { isTerminal, runInForeground } from './foreground.ts'
import { command } from './command.ts'
import { serveAddresses } from './serve-addresses.ts'

/** A first start on a slow disk, with a large image to unpack, has been seen to take a minute. */
export const UP_TIMEOUT_MS = 180_000

export const upCommand = command({
  usage: 'up',
  examples: ['up', 'up --runtime local', 'up --file other/docker-compose.yml', 'up --address 6432'],
  summary: 'bring the cluster up: one primary, every other node streaming from it',
  options: {
    keep: flagOption('--no-keep', 'do not keep what only one node has: faster, and it is gone'),
    address: countOption(
      '--address <port>',
      { min: 1, max: 65_534 },
      'then stay, with one address that leads to the primary, and the next to the standbys',
    ),
  },
  run: async ({ openLab, narrate, terminal, options: { keep, address: port }, interrupt: { signal } }) => {
    const { cluster, lock } = await openLab({ mayPull: true })
    const startedAt = performance.now()
    await up(cluster, { timeoutMs: UP_TIMEOUT_MS, keep, signal })
    narrate.say(`up after ${formatMs(performance.now() - startedAt)}`)
    const status = await tellStatus(narrate, cluster, signal)
    if (port === undefined) return status
    narrate.say('')
    terminal.idle()
    // Other commands change the cluster meanwhile.
    await lock?.lend(() => serveAddresses(cluster, { port, narrate, signal }))
    return status
  },
})

export const downCommand = command({
  usage: 'down',
  examples: ['down', 'down --keep-data'],
  summary: 'end the cluster and remove its data',
  options: {
    keepData: flagOption('--keep-data', 'keep the data: the next up continues with it'),
    temporary: flagOption('--temporary', 'instead, remove the temporary clusters of tests whose process is dead'),
  },
  run: async ({ openLab, narrate, terminal, options, interrupt: { signal } }) => {
    if (options.temporary) return await downTemporary(narrate, signal)
    const { cluster } = await openLab({ managed: 'allowed' })
    terminal.busy('ending every node')
    await cluster.runtime.down({ keepData: options.keepData, signal })
    narrate.say(options.keepData ? 'down; the data is kept' : 'down; nothing is left')
    return undefined
  },
})

async function downTemporary(narrate: Narrator, signal: AbortSignal): Promise<undefined> {
  const { removed, failed } = await removeAbandoned({ signal })
  for (const project of removed) narrate.say(`${project} is removed`)
  const [first] = failed
  if (first === undefined) {
    if (removed.length === 0) narrate.say('no temporary cluster is left behind')
    return undefined
  }
  throw new LabError('NODE_FAILED', `${first.project} could not be removed: ${messageOf(first.error)}`, {
    hint: 'Remove what it says is in the way, then pnpm run down --temporary.',
    cause: first.error,
  })
}

export const psqlCommand = command({
  usage: 'psql [node]',
  examples: ['psql', 'psql standby', "psql replica2 -c 'SELECT pg_is_in_recovery()'", 'psql --url'],
  summary: 'open psql on the primary (the default), a standby, or a node by its name; what follows goes to psql',
  options: { url: flagOption('--url', 'instead, print the address for any client, with the password') },
  takesAnyOption: true,
  run: async ({ openLab, words, narrate, terminal, interrupt, options: { url } }) => {
    const { cluster, topology } = await openLab({ onlyLooks: true })
    const [first] = words
    const isTarget = first !== undefined && !first.startsWith('-')
    const node = await resolveNode(cluster, isTarget ? first : 'primary', interrupt.signal)
    if (url) {
      const { superuser, database } = topology
      process.stdout.write(`${connectionUrl({ ...cluster.runtime.clientEndpoint(node), ...superuser, database })}\n`)
      return undefined
    }
    const given = words.slice(isTarget ? 1 : 0)
    if (isTerminal()) narrate.choice(describeStatus(await cluster.nodeStatus(node, interrupt.signal)))
    const psql = await cluster.runtime.psql(node, isTerminal() ? [...promptsOf(node), ...given] : given, {
      terminal: isTerminal(),
    })
    if (psql === undefined) {
      throw new LabError('NO_RUNTIME', 'there is no psql on this machine', {
        hint: `Install it (Debian: apt-get install postgresql-client; macOS: brew install libpq), or connect with any client to the address that pnpm run psql ${node} --url prints.`,
      })
    }
    process.exitCode = await runInForeground(psql, { terminal, interrupt })
    return undefined
  },
})

/**
 * Which node it is; its role is none of the prompt, since it may change meanwhile. What ~/.psqlrc says comes later, and wins.
 * https://www.postgresql.org/docs/current/app-psql.html#APP-PSQL-PROMPTING
 */
const promptsOf = (node: string): string[] => ['1', '2'].flatMap(at => ['--set', `PROMPT${at}=${node} %/%R%x%# `])

/** `primary` and `standby` are roles before they are names: the container called pg_primary may be a standby today. */
async function resolveNode(cluster: Cluster, target: string, signal: AbortSignal): Promise<string> {
  if (target === 'primary') return primaryOf(await cluster.status(signal)).name
  if (target !== 'standby') return cluster.node(target).name
  const [standby] = standbysOf(await cluster.status(signal))
  if (standby !== undefined) return standby.name
  throw new LabError('UNKNOWN_NODE', 'no node is a standby now', { hint: 'pnpm run status shows the roles.' })
}

export const logsCommand = command({
  usage: 'logs [node]',
  examples: ['logs replica1 --lines 100', 'logs --follow'],
  summary: "a server's log; without a node, the last lines of each",
  options: {
    lines: countOption('--lines <n>', { min: 1, max: 100_000, standard: 20 }, 'how many of the last lines'),
    follow: flagOption('--follow', 'go on as the log grows, until Ctrl-C'),
  },
  run: async ({ openLab, words: [name], options, interrupt: { signal } }) => {
    const { cluster } = await openLab({ onlyLooks: true })
    const nodes = name === undefined ? cluster.nodes : [cluster.node(name)]
    const write = (text: string): unknown => process.stdout.write(process.stdout.isTTY ? withoutEscapes(text) : text)
    if (options.follow) {
      const width = Math.max(...nodes.map(node => node.name.length))
      const writeAs = (node: string): ((text: string) => void) =>
        nodes.length === 1 ? write : marked(`${node.padEnd(width)} | `, write)
      await Promise.all(
        nodes.map(node => cluster.runtime.followLog(node.name, writeAs(node.name), { signal, lines: options.lines })),
      )
      return undefined
    }
    for (const node of nodes) {
      if (nodes.length > 1) write(`==> ${node.name} <==\n`)
      write(`${await cluster.runtime.log(node.name, { lines: options.lines })}\n`)
    }
    return undefined
  },
})
