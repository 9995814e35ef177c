/**
 * Writes a report to its file.
 */
import { writeFile } from 'node:fs/promises'
import { LabError, messageOf } from '../../errors.ts'

/** Replaces `file`. @throws LabError USAGE when it cannot be written */
export async function writeReport(file: string, html: string): Promise<void> {
  try {
    await writeFile(file, html)
  } catch (cause) {
    throw new LabError('USAGE', `cannot write the report to ${file}: ${messageOf(cause)}`, {
      hint: 'Name a file in a folder that exists and that you may write to, such as --report report.html.',
      cause,
    })
  }
}
