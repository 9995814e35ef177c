/**
 * `pnpm run app`, in a fresh clone, too: what is missing or out of date is built and installed first. See lab.ts.
 */
import { buildLab, install } from '../prepare.ts'

buildLab()
install('the service', import.meta.dirname)
await import('./lab.ts')
