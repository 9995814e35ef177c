/**
 * The reports as HTML: one page each, in one file that loads nothing.
 */
export { durabilityReport } from './durability-report.ts'
export { failoverReport, type FailoverReportInput } from './failover-report.ts'
export { lagReport } from './lag-report.ts'
