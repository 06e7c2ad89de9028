/** A call under test: its machine, with a media server and a recorder that answer at once, and what it wants as short lines. */
import { type CallInput, type CallOutput, callMachine, newCall } from '#shared/call/call.ts';
import { TICK } from '#shared/kernel/machine.ts';

export type In = CallInput<string>;
type Out = CallOutput<string>;

export const machine = callMachine<string>();
export const sdp = (direction = 'sendrecv') =>
  `v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=${direction}\r\n`;

/** A call under test: steps it and answers media and records at once unless told not to. */
export function rig(options: { media?: boolean; record?: boolean; state?: ReturnType<typeof newCall<string>> } = {}) {
  const state = options.state ?? newCall<string>();
  const log: string[] = [];
  let now = 0;
  const short = (o: Out): string => {
    switch (o.do) {
      case 'invite':
        return `invite ${o.branch}`;
      case 'progress':
        return `progress ${o.status}${o.sdp === undefined ? '' : ' sdp'}`;
      case 'reject':
        return `reject ${o.status} ${o.reason}`;
      case 'hangup':
        return `hangup ${o.party} ${o.reason}`;
      case 'refuse-offer':
        return `refuse-offer ${o.party} ${o.status}`;
      case 'accept-offer':
        return `accept-offer ${o.party}${o.direction === undefined ? '' : ` ${o.direction}`}`;
      case 'reoffer':
        return `reoffer ${o.party}`;
      case 'media':
        return `media ${o.want} ${o.leg}${o.direction === undefined ? '' : ` ${o.direction}`}`;
      case 'report':
        return `report ${o.leg} ${o.event}${o.reason === undefined ? '' : ` ${o.reason}`}`;
      case 'release':
        return `release ${o.leg}`;
      case 'connect':
        return `connect ${o.caller} ${o.leg}`;
      case 'music':
        return `music ${o.leg} ${o.on ? 'on' : 'off'}`;
      case 'over':
        return `over ${o.answered} ${o.reason}`;
      default:
        return o.do;
    }
  };
  function feed(input: In | typeof TICK): string[] {
    const from = log.length;
    const out: Out[] = [];
    machine.step(state, input, now, out);
    for (const o of out) {
      log.push(short(o));
      if (o.do === 'media' && options.media !== false) {
        feed({ on: 'media', op: o.op, ...(o.want === 'accept' ? {} : { sdp: sdp() }) });
      }
      if (o.do === 'report' && o.event === 'answered' && options.record !== false) feed({ on: 'recorded' });
    }
    return log.slice(from);
  }
  return {
    state,
    feed,
    log,
    pass(ms: number) {
      now += ms;
      return feed(TICK);
    },
  };
}

export const target = (leg: string, ...branches: string[]) => ({
  leg,
  branches: branches.map((branch) => ({ branch, to: `sip:${branch}` })),
});
export const routed = (...targets: ReturnType<typeof target>[]): In => ({
  on: 'routed',
  callerLeg: 'A',
  targets,
  ringFor: 30_000,
  relay: true,
});

/** A call by relay that has been answered; its log begins here. */
export function established() {
  const call = rig();
  call.feed({ on: 'invite', sdp: sdp() });
  call.feed(routed(target('B', 'b1')));
  call.feed({ on: 'answered', branch: 'b1', sdp: sdp() });
  call.log.length = 0;
  return call;
}
