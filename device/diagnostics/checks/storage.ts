/** The disk that holds key, certificate, documents and outbox. */
import { type Check, fail, ok, percent, size, skip, warn } from '../check.ts';

const LITTLE = 50 * 1024 * 1024;

export const storageChecks: readonly Check[] = [
  {
    id: 'storage.write',
    about: 'Can the gateway write to its disk?',
    judge: ({ storage: { write } }) =>
      write.ok
        ? ok(`a file was written and read back in ${Math.round(write.ms)} ms`)
        : fail(
            write.text,
            /ENOSPC/.test(write.text) ? 'The disk is full.' : 'The disk or card is broken or mounted read-only.',
            /ENOSPC/.test(write.text)
              ? 'Remove what fills it.'
              : 'Replace the card; the pairing survives as long as its files can be copied.',
          ),
  },
  {
    id: 'storage.room',
    about: 'Is there room on the disk?',
    needs: ['storage.write'],
    judge({ storage: { room } }) {
      if (room === undefined) return skip('this system does not tell');
      const evidence = `${size(room.free)} of ${size(room.size)} free (${percent(room.free / Math.max(1, room.size))})`;
      return room.free >= LITTLE
        ? ok(evidence)
        : warn(
            evidence,
            'Something fills the disk.',
            'Remove what is not needed; the outbox alone may need 64 MiB when the cloud is away.',
          );
    },
  },
  {
    id: 'storage.files',
    about: 'Are key, pairing and documents readable?',
    judge: ({ storage: { damaged } }) =>
      damaged.length === 0
        ? ok('all files are whole')
        : fail(
            `damaged: ${damaged.join(', ')}`,
            'The disk lost power while it wrote, or is wearing out.',
            'Restore the file from a backup; a lost pairing.json is rebuilt from the cloud, a lost device-key.json makes this a new gateway.',
          ),
  },
  {
    id: 'storage.outbox',
    about: 'Is there room in the outbox?',
    judge({ agent }) {
      if (agent === undefined) return skip('there is no outbox before pairing');
      const { octets, waiting } = agent.outbox;
      const evidence = `${waiting} waiting, ${size(octets)}`;
      return octets < 4 * 1024 * 1024
        ? ok(evidence)
        : warn(
            evidence,
            'The cloud has taken nothing for long; the least important will be given up.',
            'Restore the connection to the cloud.',
          );
    },
  },
  {
    id: 'storage.outbox-lost',
    about: 'Has nothing been given up?',
    judge({ agent }) {
      if (agent === undefined) return skip('there is no outbox before pairing');
      const { lost } = agent.outbox;
      return lost === 0
        ? ok('nothing lost')
        : warn(
            `${lost} reports lost`,
            'The cloud refused them, or was away for so long that they expired.',
            'See `hearthline logs` for outbox.refused and outbox.full.',
          );
    },
  },
];
