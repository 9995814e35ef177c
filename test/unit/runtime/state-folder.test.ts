import { expect, test } from 'vitest'
import { isLabError } from '../../../src/errors.ts'
import { stateFolder } from '../../../src/runtime/state-folder.ts'

const refused = (folder: string): string => {
  try {
    return `taken: ${stateFolder({ LAB_STATE_DIR: folder })}`
  } catch (error) {
    if (!isLabError(error, 'USAGE')) throw error
    return error.message
  }
}

test.each([
  ['/dev/shm/lab', 'taken: /dev/shm/lab'],
  ['/srv/with space/lab', 'taken: /srv/with space/lab'],
  ['/srv/../srv/lab/', 'taken: /srv/lab/'],
  ['state', 'LAB_STATE_DIR is "state", which is another folder from elsewhere'],
  ['./state', 'LAB_STATE_DIR is "./state", which is another folder from elsewhere'],
  ['~/state', 'LAB_STATE_DIR is "~/state", which is another folder from elsewhere'],
  ['/srv/a,b', 'LAB_STATE_DIR has "," in it, which unix_socket_directories cannot'],
  ['/srv/"a"', 'LAB_STATE_DIR has "\\"" in it, which unix_socket_directories cannot'],
  ['/srv/a\nb', 'LAB_STATE_DIR has "\\n" in it, which unix_socket_directories cannot'],
])('the state folder %j: %s', (folder, answer) => {
  expect(refused(folder)).toBe(answer)
})
