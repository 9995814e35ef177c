/**
 * The reports as HTML: one page each, in one file that loads nothing. What draws them is loaded with the first that is
 * drawn: most who load this module draw none.
 */
import type { DurabilityDocument } from '../../measure/durability.ts'
import type { CompareDocument } from '../../compare/compare.ts'
import type { LagDocument } from '../../measure/lag.ts'
import type { FailoverReportInput } from './failover-report.ts'

export type { FailoverReportInput } from './failover-report.ts'

/** One HTML page on a failover; on trials, their distribution first and then the trial with the median outage. */
export const failoverReport = async (input: FailoverReportInput): Promise<string> =>
  (await import('./failover-report.ts')).failoverReport(input)

/** One HTML page on how far each standby was behind. */
export const lagReport = async (document: LagDocument): Promise<string> =>
  (await import('./lag-report.ts')).lagReport(document)

/** One HTML page on what each setting of synchronous commit costs, and keeps. */
export const durabilityReport = async (document: DurabilityDocument): Promise<string> =>
  (await import('./durability-report.ts')).durabilityReport(document)

/** One HTML page on what each way makes of each thing that can befall a cluster. */
export const compareReport = async (document: CompareDocument): Promise<string> =>
  (await import('./compare-report.ts')).compareReport(document)
