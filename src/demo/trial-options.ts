/**
 * The options that the demos which change the roles under load have in common.
 */
import { countOption, fileOption } from '../options/options.ts'

export const trialOptions = {
  rate: countOption('--rate <n>', { min: 1, max: 10_000, standard: 200 }, 'writes a second'),
  connections: countOption('--connections <n>', { min: 1, max: 50, standard: 4 }, 'connections that write'),
  trials: countOption('--trials <n>', { min: 1, max: 1_000, standard: 1 }, 'do it so often, and tell the spread'),
  report: fileOption('--report <file>', 'write a page with plots, HTML in one file'),
  history: fileOption('--history <file>', 'keep every write and its outcome, as JSON Lines'),
}
