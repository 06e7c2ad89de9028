/** Four phones of three homes at an operator's softswitch, and the words of scenarios that make their calls. */
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import type { PhoneOptions } from '#simulator/phone-options.ts';
import { tone } from '#simulator/voice.ts';
import type { Line, Operator } from './operator.ts';
import { TONES } from './two-homes.ts';

/** Hertz of Carol. */
export const THIRD = 910;

/** A phone of home_1; two of home_2, Bob and Carol; one of home_3. `at`: where the phone of that number registers. */
export async function fourPhones(operator: Operator, at: (phone: number) => Partial<PhoneOptions> = () => ({})) {
  const homes = [await operator.home('home_1'), await operator.home('home_2'), await operator.home('home_3')] as const;
  const lines: Line[] = [];
  for (const [i, home] of ([homes[0], homes[1], homes[1], homes[2]] as const).entries())
    lines.push(await operator.line(home, i + 1));
  const line = (n: number): Line => lines[n] as Line;
  const ready = (n: number, more: Partial<PhoneOptions> = {}) => operator.ready(line(n), { ...at(n), ...more });
  return {
    alice: await ready(0, { voice: tone(TONES.a, 1) }),
    bob: await ready(1, { voice: tone(TONES.b, 1), answerAfter: 200 }),
    carol: await ready(2, { voice: tone(THIRD, 1) }),
    dave: await ready(3),
    line,
  };
}

/** Replaces with a dialog as the phone has it: to-tag is the tag of whoever gets the INVITE. */
export function replacing(phone: Phone, call: PhoneCall, more = ''): readonly (readonly [string, string])[] {
  const { callId, localTag, remoteTag } = phone.dialogOf(call);
  return [['Replaces', `${callId};to-tag=${remoteTag};from-tag=${localTag}${more}`]];
}

export function operatorWords(operator: () => Operator) {
  const until = (condition: () => boolean, what: string) => operator().world.until(condition, 20_000, what);
  return {
    until,
    /** A call that is answered, and has lasted half a second. */
    async talk(from: Phone, to: Line): Promise<PhoneCall> {
      const call = await from.dial(to.number);
      await until(() => call.state === 'up', `the answer: ${call.status}`);
      await operator().world.run(500);
      return call;
    },
  };
}
