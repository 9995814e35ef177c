/** The lab's own rules, with the types of what is installed in this folder: before `pnpm install` there is nothing to check. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from 'eslint/config'
import lab from '../../eslint.config.js'

const isInstalled = existsSync(join(import.meta.dirname, 'node_modules', 'fastify'))
const isGlobalIgnore = block => Object.keys(block).every(key => key === 'ignores' || key === 'name')
/** Which room of the lab's own src/ a file is in. */
const isOnRooms = ({ files, ignores }) => files?.includes('src/**/*.ts') && ignores !== undefined

export default defineConfig(
  { ignores: isInstalled ? ['dist/'] : ['**'] },
  lab.filter(block => !isGlobalIgnore(block) && !isOnRooms(block)),
)
