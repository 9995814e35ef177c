import { describe, expect, test } from 'vitest'
import { asTyped } from '../../../src/cli/as-typed.ts'

const script = { npm_lifecycle_event: 'up', npm_package_name: 'pg-failover-lab' }

describe('a command in a text', () => {
  test.each([
    [
      { ...script, npm_config_user_agent: 'pnpm/10.34.8 npm/? node/v20' },
      'pnpm run rejoin replica1 --no-keep, or pnpm run up.',
    ],
    [
      { ...script, npm_config_user_agent: 'npm/11.4.2 node/v24' },
      'npm run rejoin replica1 -- --no-keep, or npm run up.',
    ],
    [{ ...script, npm_config_user_agent: 'yarn/4.9.2 npm/?' }, 'yarn run rejoin replica1 --no-keep, or yarn run up.'],
    [
      { npm_command: 'exec', npm_package_name: 'theirs', npm_config_user_agent: 'npm/11.4.2' },
      'npx pg-failover-lab rejoin replica1 --no-keep, or npx pg-failover-lab up.',
    ],
    [
      { npm_command: 'exec', npm_config_user_agent: 'pnpm/10.34.8' },
      'pnpm exec pg-failover-lab rejoin replica1 --no-keep, or pnpm exec pg-failover-lab up.',
    ],
    [
      { npm_lifecycle_event: 'test', npm_package_name: 'theirs', npm_config_user_agent: 'pnpm/10.34.8' },
      'pg-failover-lab rejoin replica1 --no-keep, or pg-failover-lab up.',
    ],
    [{}, 'pg-failover-lab rejoin replica1 --no-keep, or pg-failover-lab up.'],
  ])('is one that can be typed again: %j', (environment, expected) => {
    expect(asTyped(environment)('pnpm run rejoin replica1 --no-keep, or pnpm run up.')).toBe(expected)
  })
})
