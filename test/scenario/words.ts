/** The words that scenarios of a stage share. Each takes the stage when it is used, since a test makes its own. */
import { synthesise } from '#cloud/farm/media/library/synthesis.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { levelOf, match } from '#shared/rtp/measure.ts';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';

export const number = (home: StageHome, line = 0) => home.lines[line]?.number ?? '';
export const last = (phone: Phone) => phone.calls.at(-1) as PhoneCall;

/** Samples of the last half second at 8 kHz. */
const RECENT = 4000;
/** Level in dBov at `hertz` of the last half second heard. */
export const level = (call: PhoneCall, hertz: number) => levelOf(call.heard().subarray(-RECENT), hertz);
/** 0 to 1: how much of the last half second of `heard` is the library's `item`, wherever in it. */
export const likeness = (heard: Int16Array, item: string) => {
  const whole = synthesise(item) ?? new Int16Array();
  return match(Int16Array.from([...whole, ...whole]), heard.subarray(-RECENT)).correlation;
};

export type Features = VerbRequest<'line.features.set'>['features'];

export function wordsOf(stage: () => Stage) {
  const until = (condition: () => boolean | Promise<boolean>, what: string, limit = 20_000) =>
    stage().ground.until(condition, limit, what);
  const dial = async (phone: Phone, to: string, limit?: number): Promise<PhoneCall> => {
    const call = await stage().ground.settle(phone.dial(to));
    await until(() => call.state === 'up' || call.state === 'ended', 'an outcome', limit);
    return call;
  };
  const session = (id: string) => stage().api('session.get', { session: id });
  return {
    until,
    session,
    legsUp: (id: string, count: number) =>
      until(
        async () => (await session(id)).legs.filter((leg) => leg.state === 'up').length === count,
        `${count} legs up`,
      ),
    records: async (session: string) => (await stage().api('cdr.list', { session })).items,
    setFeatures: (home: StageHome, features: Features, line = 0) =>
      stage().api('line.features.set', { home: home.id, line: home.lines[line]?.id ?? '', features }),
    /** Dials and waits for what comes of it. */
    dial,
    /** A star code; true where the phone hears that it was taken: `dial` has 350 Hz and 440 Hz, `busy` 480 Hz and 620 Hz. */
    async code(phone: Phone, digits: string): Promise<boolean> {
      const call = await dial(phone, digits);
      if (call.state !== 'up') throw new Error(`${digits} was answered with ${call.status}`);
      await stage().ground.pass(1_500);
      const heard = call.heard().subarray(-RECENT);
      await until(() => call.state === 'ended', 'the end of the tone');
      return levelOf(heard, 440) > levelOf(heard, 620) + 10;
    },
    /** The home's gateway has noticed that the cloud is gone. */
    cutOff: (home: StageHome) =>
      until(() => home.gateway.status().voice.flow === 'down', 'the flow to be given up', 200_000),
  };
}
