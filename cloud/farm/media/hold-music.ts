/** What is played to who is put on hold: the operator's file, or a piece of the library, softly. */
import type { CloudConfig } from '#cloud/bus/config.ts';
import { EngineError, type MediaEngine, type PlayerSpec } from '#shared/media-engine/engine.ts';
import { itemFile } from './items.ts';

/** The piece of the library. */
const PIECE = 'music-box';
/** Linear: what is shipped is made for listeners, and here somebody waits. */
const SOFTLY = 0.5;

/** Its source, and how loud it is played; an operator's file sounds as it is. */
export function holdMusic({ holdMusic: file }: Pick<CloudConfig, 'holdMusic'>): Pick<PlayerSpec, 'source' | 'gain'> {
  return file === undefined || file === 'none'
    ? { source: { file: itemFile(PIECE) }, gain: SOFTLY }
    : { source: { file }, gain: 1 };
}

/** Rejects where the operator's file cannot be played, so that this shows at once and not at the first hold. */
export async function tryHoldMusic(engine: MediaEngine, config: Pick<CloudConfig, 'holdMusic'>): Promise<void> {
  if (config.holdMusic === undefined || config.holdMusic === 'none') return;
  const probe = { id: 'probe-music', owner: 'probe/probe', group: 'probe', loop: true };
  try {
    await engine.player({ ...probe, ...holdMusic(config) });
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    if (error.code === 'bad_file') throw new Error(`--hold-music: ${config.holdMusic}: ${error.message}`);
  } finally {
    await engine.release(probe.id);
  }
}
