import { SipTransport, type SipTransportOptions, type UserOutput } from '#shared/host/sip.ts';
import { sipHash } from '#shared/host/sip-hash.ts';
import type { World } from '#shared/kernel/world.ts';
import { Endpoint } from '#shared/sip/endpoint.ts';
import type { Flow, InviteOptions } from '#shared/sip/types.ts';

/** An endpoint with its transport on a host, and all that they did. */
export interface Agent {
  readonly endpoint: Endpoint;
  readonly transport: SipTransport;
  readonly seen: UserOutput[];
  /** `in` or `out` and the start line. */
  readonly wire: string[];
  readonly closed: string[];
}

/** An agent that answers every call and every other request. */
export function agent(world: World, options: Partial<SipTransportOptions> = {}): Agent {
  const endpoint = new Endpoint({ random: world.random, hash: sipHash(world.crypto) });
  const seen: UserOutput[] = [];
  const wire: string[] = [];
  const closed: string[] = [];
  const transport: SipTransport = new SipTransport(world, {
    endpoint,
    onOutput(output) {
      seen.push(output);
      transport.act((now, out) => {
        if (output.do === 'incoming') {
          endpoint.progress(output.call, 180, {}, now, out);
          endpoint.answer(output.call, { sdp: 'answer', contact: 'sip:callee@10.0.0.2' }, now, out);
        } else if (output.do === 'request') endpoint.reply(output.transaction, 200, {}, now, out);
      });
    },
    onFlowClosed: (_flow, why) => void closed.push(why),
    trace: (direction, _flow, text) => void wire.push(`${direction} ${text.slice(0, text.indexOf('\r\n'))}`),
    ...options,
  });
  return { endpoint, transport, seen, wire, closed };
}

/** `from` calls over a flow of its own. */
export function callOver(from: Agent, flow: Flow, more: Partial<InviteOptions> = {}): string {
  return from.transport.act((now, out) =>
    from.endpoint.invite(
      {
        uri: 'sip:b@example.com',
        from: '<sip:a@example.com>',
        to: '<sip:b@example.com>',
        flow,
        contact: 'sip:a@10.0.0.1',
        sdp: 'offer',
        ...more,
      },
      now,
      out,
    ),
  );
}

let requests = 0;

/** An OPTIONS request as text. */
export function optionsText(transport = 'UDP', body = ''): string {
  const n = ++requests;
  return `OPTIONS sip:b@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/${transport} 10.0.0.1:5060;branch=z9hG4bKo${n};rport\r\nMax-Forwards: 70\r\nFrom: <sip:a@x>;tag=a${n}\r\nTo: <sip:b@x>\r\nCall-ID: o${n}\r\nCSeq: 1 OPTIONS\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}
