/** `turnpike unpack`: not for people. The first start of the binary has its Postgres unpacked by it, see db/embedded-archive. */
import { UNPACK, unpack as unpackArchive } from '../db/embedded-archive.ts'
import type { Command } from './command.ts'

export const unpack: Command = {
  name: UNPACK,
  summary: 'Unpack an archive of the binary; done by the first start',
  internal: true,
  options: {},
  operands: ['ARCHIVE', 'DIRECTORY'],
  run: async ({ operands: [archive = '', directory = ''] }) => {
    await unpackArchive(archive, directory)
    return 0
  },
}
