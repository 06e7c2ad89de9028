import { dirname, join, resolve } from 'node:path';
import { engineSocket } from '#shared/media-engine/spawn.ts';

/** Where a gateway of this state folder answers: in the folder, or where its path is too long for a socket, beside the engine's. */
export const controlSocket = (state: string): string => join(dirname(engineSocket(resolve(state))), 'control.sock');
