/**
 * `lag`: how long until an insert is visible on the standbys, of the lab's cluster or of any other.
 */
import { up } from '../operations/up.ts'
import { countOption, flagOption, listOption, fileOption, textOption, textsOption } from '../options/options.ts'
import { LabError } from '../errors.ts'
import type { LagDocument } from '../measure/lag.ts'
import { keepReport } from '../report/files.ts'
import { lagReport } from '../report/html/reports.ts'
import { narrateLag } from '../report/lag.ts'
import { narrateLiars } from '../report/liars.ts'
import { serverAt, serversOf, type Servers } from '../client/burst.ts'
import { runLag } from '../experiments/lag.ts'
import { runLiars, situations } from '../experiments/liars/liars.ts'
import { command, type CommandContext } from './command.ts'
import { UP_TIMEOUT_MS } from './commands.ts'

const options = {
  inserts: countOption('--inserts <n>', { min: 1, max: 1_000_000, standard: 100 }, 'inserts in the burst'),
  rate: countOption(
    '--rate <n>',
    { min: 1, max: 100_000 },
    'inserts due per second (default: as fast as one connection goes)',
  ),
  lookEvery: countOption(
    '--look-every <ms>',
    { min: 0, max: 10_000, standard: 1 },
    'pause between two looks at a standby; 0: as fast as its connection goes',
  ),
  timeout: countOption(
    '--timeout <s>',
    { min: 1, max: 86_400, standard: 60 },
    'limit for the standbys to replay it all',
  ),
  liars: flagOption('--liars', 'compare the figures that people usually watch with the truth'),
  situations: listOption('--situations <names>', situations, 'with --liars: which'),
  primary: textOption(
    '--primary <url>',
    'another cluster: its primary, postgresql://user@host:port/database; password in PGPASSWORD',
  ),
  standby: textsOption('--standby <url>', 'and a standby of it; once for each'),
  report: fileOption('--report <file>', 'write a page with plots, HTML in one file'),
}

export const lagCommand = command({
  usage: 'lag',
  examples: ['lag --rate 500 --report lag.html', 'lag --liars'],
  summary: 'measure how long until an insert is visible on each standby',
  options,
  run: async context => {
    const { options, narrate, interrupt } = context
    const { signal } = interrupt
    const given = givenServers(options)
    if (options.liars) return await compare(context, given)
    const { servers, runtime } = given === undefined ? await labServers(context) : { servers: given, runtime: null }
    const document: LagDocument = {
      runtime,
      ...(await runLag(servers, {
        inserts: options.inserts,
        ratePerSecond: options.rate,
        lookEveryMs: options.lookEvery,
        timeoutMs: options.timeout * 1000,
        signal,
        onStep: step => context.terminal.busy(step),
      })),
    }
    narrateLag(narrate, document)
    await keepReport(narrate, { file: options.report, document }, lagReport)
    return document
  },
})

type Context = CommandContext<typeof options>

/** @throws LabError USAGE */
function givenServers({ primary, standby }: Context['options']): Servers | undefined {
  if (primary === undefined && standby.length === 0) return undefined
  if (primary === undefined || standby.length === 0) {
    throw new LabError('USAGE', `--${primary === undefined ? 'primary' : 'standby'} is missing`, {
      hint: 'Name both: --primary URL --standby URL, and --standby once more for each further one.',
    })
  }
  return { primary: serverAt(primary), standbys: standby.map(serverAt) }
}

async function labServers({
  openLab,
  interrupt: { signal },
}: Context): Promise<{ readonly servers: Servers; readonly runtime: 'docker' | 'local' }> {
  const { cluster } = await openLab({ mayPull: true })
  await up(cluster, { timeoutMs: UP_TIMEOUT_MS, signal })
  return { servers: await serversOf(cluster, signal), runtime: cluster.runtime.name }
}

async function compare(
  { openLab, options, narrate, interrupt: { signal } }: Context,
  given: Servers | undefined,
): Promise<object | undefined> {
  if (given !== undefined) {
    throw new LabError('USAGE', "--liars disconnects a standby, and does that only to the lab's own cluster", {
      hint: 'Leave out --primary and --standby.',
    })
  }
  const { cluster } = await openLab({ mayPull: true })
  await up(cluster, { timeoutMs: UP_TIMEOUT_MS, signal })
  using _quiet = narrate.hush()
  const document = await runLiars(cluster, {
    situations: options.situations,
    timeoutMs: options.timeout * 1000,
    signal,
  })
  narrateLiars(narrate, document)
  return document
}
