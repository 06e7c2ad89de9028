/** The way to the cloud, step by step, and the bond with it. */
import { type Check, fail, ok, skip, span, type Verdict, warn } from '../check.ts';
import { type Facts, NOBODY, type Probe } from '../facts.ts';

const DAY = 86_400_000;
const NETWORK = [
  'network.interface',
  'network.dhcp',
  'network.link',
  'network.route',
  'network.router',
  'network.name-server',
  'network.names',
];

function certificate(facts: Facts['cloud']['own'], wall: number, soon: number, whose: string, next: string): Verdict {
  if (facts === undefined) return skip('there is none yet');
  const evidence = `valid until ${new Date(facts.notAfter).toISOString()}`;
  if (wall > facts.notAfter) return fail(evidence, `${whose} has expired.`, next);
  if (wall < facts.notBefore)
    return fail(
      `valid from ${new Date(facts.notBefore).toISOString()}`,
      `${whose} is not valid yet.`,
      'Set the clock.',
    );
  return facts.notAfter - wall < soon
    ? warn(`${evidence}, in ${span(facts.notAfter - wall)}`, `${whose} expires soon and was not renewed.`, next)
    : ok(evidence);
}

const reached = (probe: Probe): string => (probe.ok ? `answered in ${Math.round(probe.ms)} ms` : probe.text);

/** Where the name server sends who looks for the cloud; nothing where nobody was asked. */
function sentTo({ asked, addresses = [] }: Facts['names']): string {
  return asked === undefined || addresses.length === 0 ? '' : `${asked} is ${addresses.join(', ')} by the name server`;
}

/** Connections open (small packets), and nothing comes of them where the first large packet is due: the handshake of TLS. */
const swallowed = ({ tcp, tls }: Facts['cloud']): boolean =>
  tcp?.ok === true && tls !== undefined && !tls.ok && tls.code === 'ETIMEDOUT';
const SWALLOWED = [
  'Connections open, but no TLS comes of them: large packets are lost on the way (path MTU), or the cloud hangs.',
  'Lower the MTU of the WAN interface to 1280 and try again; if that helps, have the router clamp the MSS. If not, see the cloud’s own health.',
] as const;

/** Cause and next step where the cloud’s web address does not tell where the cloud listens. */
function undiscovered(
  { code, text }: Exclude<Probe, { readonly ok: true }>,
  { names, cloud }: Pick<Facts, 'names' | 'cloud'>,
): readonly [string, string] {
  const by = sentTo(names);
  if (swallowed(cloud)) return SWALLOWED;
  if (NOBODY.has(code))
    return [
      `Nobody answers at the cloud’s web address${by === '' ? '' : ', or the name server gives a wrong one'}.`,
      by === ''
        ? 'Check the cloud’s HTTPS port; `hearthline device --cloud` names the address.'
        : `Ask the operator whether that address is right. If not, the name server of this network is wrong: set another. If it is, check the cloud’s HTTPS port.`,
    ];
  if (/not valid now|NOT_YET_VALID|HAS_EXPIRED/.test(code + text))
    return [
      'This gateway’s clock is wrong, or the cloud’s certificate has expired.',
      'Compare the clock (power.clock in `hearthline check --all`) with a watch; check that NTP (UDP port 123) is allowed.',
    ];
  if (/altname|ALTNAME/.test(code + text))
    return [
      'The cloud’s certificate is for another name than the one in --cloud.',
      'Give --cloud by a name or address that stands in the certificate; an operator names more with `hearthline cloud --domain`.',
    ];
  if (code === 'ECERT' || /CERT|SIGNATURE|ISSUER/.test(code))
    return [
      `Another cloud than the one in --cloud answers there, or something on the way intercepts TLS${by === '' ? '' : `, or the name server gives a wrong address`}.`,
      `Compare the key behind # in --cloud with the operator’s${by === '' ? '' : `, and the address`}. If the cloud was set up anew, pair the gateway again; else take inspecting firewalls out of the way.`,
    ];
  return [
    'The cloud’s web address does not answer as it should.',
    'Check the cloud’s HTTPS port and its certificate; `hearthline device --cloud` names the address.',
  ];
}

/** Evidence with the address that a name stands for, where one was asked. */
const at = (text: string, names: Facts['names']): string => {
  const by = sentTo(names);
  return by === '' ? text : `${text}; ${by}`;
};

export const cloudChecks: readonly Check[] = [
  {
    id: 'cloud.reach',
    about: 'Can the cloud’s machine be reached?',
    needs: NETWORK,
    judge({ cloud: { discovery, tcp, host }, names, quick }) {
      if (discovery === undefined || quick) return skip('not tried');
      if (discovery.ok || tcp?.ok === true) return ok(host);
      if (!NOBODY.has(discovery.code)) return ok(`${host} answers, if not as it should`);
      // A machine that refuses is there; what refuses is named by the checks that follow.
      if (discovery.code === 'ETIMEDOUT' && tcp !== undefined && tcp.code !== 'ETIMEDOUT') return ok(`${host} refuses`);
      const off = discovery.code === 'ECONNREFUSED';
      const ask =
        sentTo(names) === '' ? '' : ' Ask the operator whether the address that the name server gives is right.';
      return fail(
        at(discovery.text, names),
        off
          ? 'The cloud is not running there, or its address is wrong.'
          : 'The home has no internet, or the cloud’s machine is down.',
        off
          ? `Check --cloud, and that \`hearthline cloud\` runs there.${ask}`
          : `Try another site from this network; restart the home’s router.${ask}`,
      );
    },
  },
  {
    id: 'cloud.discovery',
    about: 'Does the cloud tell where it listens?',
    needs: ['cloud.reach'],
    judge({ cloud, names, agent, quick }) {
      const { discovery } = cloud;
      if (discovery === undefined || quick) return skip('not tried');
      if (discovery.ok) return ok(reached(discovery));
      const [cause, next] = undiscovered(discovery, { names, cloud });
      const evidence = at(discovery.text, names);
      return agent?.link.at === 'ready' ? warn(evidence, cause, next) : fail(evidence, cause, next);
    },
  },
  {
    id: 'cloud.latency',
    about: 'Does the cloud answer quickly?',
    needs: ['cloud.discovery'],
    judge({ cloud: { discovery }, quick }) {
      if (discovery === undefined || !discovery.ok || quick) return skip('not tried');
      return discovery.ms <= 1_500
        ? ok(reached(discovery))
        : warn(
            reached(discovery),
            'The home’s line is full or bad.',
            'See what else uses the line; calls need under 150 ms one way (ITU-T G.114).',
          );
    },
  },
  {
    id: 'cloud.tcp',
    about: 'Is the cloud’s MQTT port open?',
    needs: ['cloud.reach'],
    judge({ cloud: { mqtt, tcp } }) {
      if (mqtt === undefined || tcp === undefined) return skip('not tried');
      return tcp.ok
        ? ok(`${mqtt.host}:${mqtt.port}: ${reached(tcp)}`)
        : fail(
            tcp.text,
            `Port ${mqtt.port} is blocked on the way, or the gateways’ edge is stopped.`,
            'Allow the port in the router’s firewall; in the cloud see `hearthline farm list`.',
          );
    },
  },
  {
    id: 'cloud.authority',
    about: 'Is the operator’s authority valid?',
    needs: ['power.clock'],
    judge: ({ cloud: { authority }, wall }) =>
      certificate(
        authority,
        wall,
        30 * DAY,
        'The operator’s authority',
        'The operator must renew it and pair the gateways anew.',
      ),
  },
  {
    id: 'cloud.certificate',
    about: 'Is the gateway’s own certificate valid?',
    needs: ['power.clock'],
    judge: ({ cloud: { own }, wall }) =>
      certificate(
        own,
        wall,
        20 * DAY,
        'The gateway’s certificate',
        'It renews itself at two thirds of its life while it is connected; see `hearthline logs` for pairing.renewal-failed. Pair it anew if it has expired.',
      ),
  },
  {
    id: 'cloud.tls',
    about: 'Do gateway and cloud believe each other?',
    needs: ['power.clock', 'cloud.tcp', 'cloud.authority', 'cloud.certificate'],
    judge({ cloud }) {
      const { tls } = cloud;
      if (tls === undefined) return skip('not tried');
      if (swallowed(cloud) && !tls.ok) return fail(tls.text, ...SWALLOWED);
      return tls.ok
        ? ok(reached(tls))
        : fail(
            tls.text,
            'Something between gateway and cloud intercepts TLS, or the cloud is another one than it was.',
            'Take inspecting firewalls out of the way; if the cloud was set up anew, pair the gateway again.',
          );
    },
  },
  {
    id: 'cloud.paired',
    about: 'Is the gateway paired?',
    judge({ pairing: { at, cause, home, code } }) {
      if (at === 'paired' || (at === 'starting' && home !== undefined)) return ok(`with ${home}`);
      const evidence = `${at}${cause === undefined ? '' : `, the last pairing ended with ${cause}`}`;
      if (cause === 'removed')
        return fail(evidence, 'The gateway was removed from its home.', 'Pair it again with the code that it shows.');
      return warn(
        evidence,
        at === 'starting' ? 'The cloud was not found yet.' : 'Nobody has paired it.',
        code === undefined
          ? 'Wait until it shows a code.'
          : 'Give the code that it shows to the app, or `hearthline pair CODE`.',
      );
    },
  },
  {
    id: 'cloud.mqtt',
    about: 'Is the gateway connected to the cloud?',
    needs: ['power.clock', 'cloud.reach', 'cloud.tcp', 'cloud.tls', 'cloud.paired'],
    judge({ agent }) {
      if (agent === undefined) return skip('not paired');
      const { link, lasts, lastEnd } = agent;
      if (link.at === 'ready' || link.at === 'greeting') return ok(`for ${span(lasts)}`);
      const evidence = `${link.at} for ${span(lasts)}${lastEnd === undefined ? '' : `; ${lastEnd}`}`;
      if (link.at === 'stopped')
        return fail(
          evidence,
          'The part of the gateway that talks to the cloud has not started.',
          'See `hearthline logs --level error` for what stopped it, then restart the gateway.',
        );
      if (link.at === 'connecting' && lasts < 15_000)
        return warn(evidence, 'It is just connecting.', 'Wait some seconds and check again.');
      return fail(
        evidence,
        'The cloud lets the gateway in no further: its certificate is refused, or the edge is full.',
        'In the cloud: `hearthline gateway show`; if it is not listed there, pair it again.',
      );
    },
  },
  {
    id: 'cloud.hello',
    about: 'Has the cloud answered the greeting?',
    needs: ['cloud.mqtt'],
    judge({ agent }) {
      if (agent === undefined) return skip('not paired');
      const { link, lasts } = agent;
      if (link.at !== 'greeting') return ok(`epoch ${link.epoch}`);
      const evidence = `greeting for ${span(lasts)}`;
      return lasts < 10_000
        ? warn(evidence, 'It is just connecting.', 'Wait some seconds and check again.')
        : fail(
            evidence,
            'The cloud’s oamp server does not answer.',
            'In the cloud: `hearthline farm list`, then start it.',
          );
    },
  },
  {
    id: 'cloud.steady',
    about: 'Does the connection hold?',
    needs: ['cloud.mqtt', 'cloud.hello'],
    judge({ agent }) {
      if (agent === undefined) return skip('not paired');
      return agent.greetings < 4
        ? ok(`${agent.greetings} connections in ten minutes`)
        : warn(
            `${agent.greetings} connections in ten minutes; ${agent.lastEnd ?? 'no reason was told'}`,
            'The line drops again and again, or another gateway has the same identity.',
            'Check the line; do not copy a gateway’s state folder to another.',
          );
    },
  },
  {
    id: 'cloud.documents',
    about: 'Has the gateway got its settings?',
    needs: ['cloud.paired'],
    judge({ agent }) {
      if (agent === undefined) return skip('not paired');
      const missing = ['system', 'voice'].filter((doc) => agent.applied[doc] === undefined);
      const evidence = Object.entries(agent.applied)
        .map(([doc, version]) => `${doc} ${version}`)
        .join(', ');
      if (missing.length === 0) return ok(evidence);
      return agent.refused[missing[0] ?? ''] !== undefined
        ? skip('refused, see the next check')
        : fail(
            `${missing.join(', ')} missing`,
            'The cloud has sent no settings since pairing.',
            'Connect the gateway; then `hearthline gateway show` in the cloud.',
          );
    },
  },
  {
    id: 'cloud.documents-taken',
    about: 'Are the newest settings in force?',
    needs: ['cloud.documents'],
    judge({ agent }) {
      if (agent === undefined) return skip('not paired');
      const refused = Object.entries(agent.refused);
      return refused.length === 0
        ? ok('none refused')
        : fail(
            refused
              .map(([doc, why]) => `${doc} ${why}`)
              .join('; ')
              .slice(0, 400),
            'The cloud sent settings that this version cannot apply; the last good ones are in force.',
            'Update the gateway, or correct the settings in the cloud.',
          );
    },
  },
  {
    id: 'cloud.reports',
    about: 'Does the cloud take what is reported?',
    needs: ['cloud.mqtt'],
    judge({ agent }) {
      if (agent === undefined) return skip('there is no outbox before pairing');
      const { oldest, waiting } = agent.outbox;
      if (oldest === undefined || oldest < 300_000) return ok(`${waiting} waiting`);
      return warn(
        `${waiting} waiting, the oldest for ${span(oldest)}`,
        'A service server in the cloud does not take the reports.',
        'See `hearthline farm list` in the cloud; nothing is lost meanwhile.',
      );
    },
  },
];
