/** The lab's own rules, with the types of what is installed here and of the lab as it is built: without them nothing is checked. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from 'eslint/config'
import lab from '../../eslint.config.js'

const isInstalled = ['node_modules/fastify', '../../dist/src/router/index.d.ts'].every(path =>
  existsSync(join(import.meta.dirname, path)),
)
const isGlobalIgnore = block => Object.keys(block).every(key => key === 'ignores' || key === 'name')
/** Which room of the lab's own src/ a file is in. */
const isOnRooms = ({ files, ignores }) => files?.includes('src/**/*.ts') && ignores !== undefined

export default defineConfig(
  { ignores: isInstalled ? ['dist/'] : ['**'] },
  lab.filter(block => !isGlobalIgnore(block) && !isOnRooms(block)),
)
