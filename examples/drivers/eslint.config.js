/** The lab's own rules, for a package that has its drivers to itself. */
import { defineConfig } from 'eslint/config'
import lab from '../../eslint.config.js'

const isGlobalIgnore = block => Object.keys(block).every(key => key === 'ignores' || key === 'name')
/** Which room of the lab's own src/ a file is in. */
const isOnRooms = ({ files, ignores }) => files?.includes('src/**/*.ts') && ignores !== undefined

export default defineConfig(
  { ignores: ['dist/', 'src/prisma/client/'] },
  lab.filter(block => !isGlobalIgnore(block) && !isOnRooms(block)),
)
