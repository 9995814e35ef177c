/**
 * Every command there is, in the order of the help.
 */
import streaming from '../../demos/01-streaming.ts'
import durability from '../../demos/03-durability.ts'
import switchover from '../../demos/06-switchover.ts'
import failover from '../../demos/07-failover.ts'
import { benchCommand } from './bench-command.ts'
import { cacheCommand } from './cache-command.ts'
import { cascadeCommand } from './cascade-command.ts'
import { chaosCommand } from './chaos-command.ts'
import type { Command } from './command.ts'
import { downCommand, logsCommand, psqlCommand, upCommand } from './commands.ts'
import { compareCommand } from './compare-command.ts'
import { completionCommand } from './completion-command.ts'
import { delayCommand } from './delay-command.ts'
import { demoCommand } from './demo-command.ts'
import { lagCommand } from './lag-command.ts'
import { lessonCommand } from './lesson-command.ts'
import { measureCommand } from './measure-command.ts'
import { addReplicaCommand, removeReplicaCommand } from './member-commands.ts'
import { rejoinCommand } from './rejoin-command.ts'
import { salvageCommand } from './salvage-command.ts'
import { stackCommand } from './stack-command.ts'
import { statusCommand } from './status-command.ts'
import { syncCommand } from './sync-command.ts'

export const commands: readonly Command[] = [
  upCommand,
  downCommand,
  statusCommand,
  psqlCommand,
  logsCommand,
  demoCommand(streaming, { usage: 'demo', examples: ['demo --step', 'demo --inserts 1000'] }),
  lessonCommand,
  demoCommand(failover, {
    examples: ['failover --fault stop', 'failover --trials 20 --report failover.html', 'failover --to replica2 --json'],
  }),
  demoCommand(switchover, { examples: ['switchover --to replica1', 'switchover --trials 20'] }),
  demoCommand(durability, { examples: ['durability --synchronous-commit off,on --standbys one'] }),
  rejoinCommand,
  salvageCommand,
  syncCommand,
  lagCommand,
  measureCommand,
  addReplicaCommand,
  removeReplicaCommand,
  cascadeCommand,
  delayCommand,
  stackCommand,
  compareCommand,
  chaosCommand,
  benchCommand,
  cacheCommand,
  completionCommand(() => commands),
]
