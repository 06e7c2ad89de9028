/**
 * Music for who is put on hold by another phone of the house: which lines give it, and the words to the media engine. When it plays is decided
 * in `shared/call/hold-music.ts`. Who talks to somebody outside the house has the softswitch's.
 */
import { CALLER, type CallOutput, type Party } from '#shared/call/call.ts';
import type { Log } from '#shared/kernel/world.ts';
import { EngineError } from '#shared/media-engine/engine.ts';
import type { Anchor } from '../media-relay/anchor.ts';
import { CALLEE_LEG, CALLER_LEG, type EdgeCall, type NamedLine, type Ring } from './edge-call.ts';
import { lineOf, otherEnd } from './end.ts';

type Music = Extract<CallOutput<Ring>, { do: 'music' }>;

export interface HoldMusicOptions {
  readonly anchor: Anchor;
  readonly log: Log;
  /** Whether who is held by this line is to hear music. */
  readonly wanted: (line: NamedLine) => boolean;
}

export class HoldMusic {
  readonly #o: HoldMusicOptions;

  constructor(options: HoldMusicOptions) {
    this.#o = options;
  }

  /** Whom this side holds hears music: both are phones of the house, and the call is none for help. */
  plays(call: EdgeCall, party: Party): boolean {
    const line = lineOf({ call, party });
    if (line === undefined || call.help !== undefined) return false;
    return lineOf(otherEnd({ call, party })) !== undefined && this.#o.wanted(line);
  }

  /** Starts or ends the music of a leg. What cannot be played leaves them hearing each other. */
  async change(call: EdgeCall, { party, leg, from, on }: Music): Promise<void> {
    const { anchor, log } = this.#o;
    const still = () => call.state.at === 'up' && call.state.sides.get(party)?.music === true;
    try {
      if (on) {
        await anchor.play(call.id, nameOf(leg), 'music', leg, still);
        if (still()) await anchor.part(call.id, from, leg);
      } else await Promise.all([anchor.release(call.id, nameOf(leg)), anchor.connect(call.id, from, leg)]);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      // Where the two were parted, the end of one of them is gone: it is connected anew by whoever brings them to others.
      if (error.code !== 'unknown_node') log.warn('edge.no-hold-music', { call: call.id, fault: error.code });
    }
  }

  /** Whoever hears music hears it no more: the call is over, or parked. */
  end(call: EdgeCall): void {
    for (const [party, { music }] of call.state.sides)
      if (music) void this.#o.anchor.release(call.id, nameOf(party === CALLER ? CALLER_LEG : CALLEE_LEG));
  }
}

const nameOf = (leg: string): string => `music-${leg}`;
