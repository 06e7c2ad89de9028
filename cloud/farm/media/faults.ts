/** What a refusal of the engine means to those who asked the media server. */
import { err, type Result } from '#shared/kernel/result.ts';
import { EngineError, type EngineFault } from '#shared/media-engine/engine.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';

const byCode: Readonly<Record<EngineFault, Fault>> = {
  ports_exhausted: fault('limit_reached', 'All RTP ports of the range (--media) are in use.'),
  limit_reached: fault('limit_reached', 'The media engine holds as many nodes as it may.'),
  no_address: fault('internal', 'The address of --media is none of this machine’s.'),
  unknown_node: fault('not_found'),
  other_group: fault('bad_request', 'The two nodes belong to different sessions.'),
  not_connectable: fault('bad_request', 'Sound cannot flow between nodes of these kinds.'),
  bad_file: fault('internal', 'A file of the media library cannot be played.'),
  no_events: fault('conflict', 'This phone takes no telephone events (RFC 4733).'),
  gone: fault('server_unavailable', 'The media engine is restarting.', { server: 'media', retryAfter: 1000 }),
};

/** Runs work on the engine; what the engine refuses becomes a fault, anything else is a bug and stays thrown. */
export async function engineFault<T>(work: () => Promise<Result<T, Fault>>): Promise<Result<T, Fault>> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof EngineError) return err(byCode[error.code]);
    throw error;
  }
}
