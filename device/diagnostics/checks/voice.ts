/** Phones, lines and the way to the softswitch; media; the LAN; the program itself. */
import { type Check, fail, ok, percent, skip, span, warn } from '../check.ts';
import type { Facts, StreamQuality } from '../facts.ts';

const RECENT = 600_000;
/** Packets from which a stream is judged: one second of 20 ms packets. */
const ENOUGH = 50;

const worst = (streams: readonly StreamQuality[], of: (one: StreamQuality) => number) =>
  [...streams].sort((a, b) => of(b) - of(a))[0];

/** Whose side of a call a stream is, by its address; undefined where that is not known. */
function sideOf({ peer }: StreamQuality, { cloud, names, voice }: Facts): 'phone' | 'cloud' | undefined {
  if (peer === undefined) return undefined;
  // A phone stands there as `udp 192.168.1.2:5060` or `tcp [2001:db8::2]:5060`.
  const phones = voice.lines.flatMap((line) => line.phones.map((one) => one.replace(/^\w+ \[?|\]?:\d+$/g, '')));
  if (phones.includes(peer)) return 'phone';
  const theirs = [cloud.mqtt?.host, voice.upstream.target?.host, ...(names.addresses ?? [])];
  return theirs.includes(peer) ? 'cloud' : undefined;
}

/** What is done about a side from which no sound comes. */
const SILENCE: Readonly<Record<'phone' | 'cloud' | 'unknown', readonly [cause: string, next: string]>> = {
  phone: [
    'The phone sends no sound, or it does not come through the house’s network.',
    'See that the phone is not muted and is set to this gateway; look for a firewall between both, or for client isolation in the Wi-Fi.',
  ],
  cloud: [
    'The sound of the cloud does not come through: a firewall or router on the way drops UDP.',
    'Allow UDP to the ports of --media (20000 to 29999) in the router’s firewall; switch off SIP ALG there. Where the gateway’s address changed in the call (edge.address-gone in `hearthline logs`), call again.',
  ],
  unknown: [
    'A firewall, a wrong address in SDP, or the phone itself stops the sound of one side.',
    'See the addresses in `hearthline call trace`; switch off SIP ALG in the router.',
  ],
};

export const voiceChecks: readonly Check[] = [
  {
    id: 'voice.listener',
    about: 'Does the gateway answer phones?',
    judge({ voice: { listener } }) {
      if (listener === undefined) return skip('not tried');
      return listener.ok
        ? ok(`OPTIONS answered in ${Math.round(listener.ms)} ms`)
        : fail(
            listener.text,
            'The SIP listener is gone, or another program answers on its port.',
            'Restart the gateway; stop other SIP programs on this machine.',
          );
    },
  },
  {
    id: 'voice.lines',
    about: 'Does the home have lines?',
    needs: ['cloud.documents'],
    judge({ voice: { lines }, agent, profile }) {
      if (agent === undefined) return skip('not paired');
      if (lines.length > 0)
        return ok(
          lines
            .map(({ number }) => number)
            .slice(0, 8)
            .join(', '),
        );
      const what = profile === 'ip-appliance' ? 'line of kind appliance' : 'line';
      return warn(
        `no ${what}`,
        'The operator has given the home none yet.',
        'Make one: `hearthline line create --home home_…`.',
      );
    },
  },
  {
    id: 'voice.softswitch',
    about: 'Can the softswitch be reached?',
    needs: ['cloud.reach', 'cloud.documents'],
    judge({ voice: { softswitch, upstream } }) {
      if (softswitch === undefined || upstream.target === undefined) return skip('not tried');
      return softswitch.ok
        ? ok(`${upstream.target.host}:${upstream.target.port} answered in ${Math.round(softswitch.ms)} ms`)
        : fail(
            softswitch.text,
            'The softswitch is stopped, or its TLS port is blocked on the way.',
            'In the cloud: `hearthline farm list`; on site: allow the port in the router’s firewall.',
          );
    },
  },
  {
    id: 'voice.flow',
    about: 'Is the way to the softswitch open?',
    needs: ['power.clock', 'voice.softswitch', 'cloud.documents', 'cloud.certificate'],
    judge({ voice: { upstream }, agent }) {
      if (agent === undefined || upstream.target === undefined) return skip('no softswitch is named yet');
      const evidence = `${upstream.flow} to ${upstream.target.host}:${upstream.target.port}`;
      if (upstream.flow === 'up') return ok(evidence);
      return fail(
        evidence,
        'The softswitch closes the connection, or is just coming back.',
        'Calls inside the house work; see `hearthline logs` for edge.flow, and the softswitch in the cloud.',
      );
    },
  },
  {
    id: 'voice.registered',
    about: 'Does the softswitch know the lines that have a phone?',
    needs: ['voice.flow'],
    judge({ voice: { lines } }) {
      const wanted = lines.filter(
        ({ phones, kind, upstream }) => phones.length > 0 || (kind === 'appliance' && upstream !== 'none'),
      );
      if (wanted.length === 0) return skip('no phone is registered here');
      const bad = wanted.filter(({ upstream }) => upstream !== 'held');
      if (bad.length === 0)
        return ok(
          wanted
            .map(({ number }) => number)
            .slice(0, 8)
            .join(', '),
        );
      const refused = bad.filter(({ upstream }) => upstream === 'refused');
      const evidence = bad.map(({ number, upstream }) => `${number} ${upstream}`).join(', ');
      return refused.length > 0
        ? fail(
            evidence,
            'The softswitch refuses the line: it belongs to another home now, or is gone.',
            'Compare with `hearthline line list` in the cloud.',
          )
        : warn(evidence, 'The registration is on its way.', 'Wait some seconds and check again.');
    },
  },
  {
    id: 'voice.refused',
    about: 'Do phones have the right password?',
    judge({ voice: { refusals }, wall }) {
      const recent = refusals.filter(({ at }) => wall - at < RECENT);
      const last = recent.at(-1);
      if (last === undefined) return ok('nobody was refused in ten minutes');
      const evidence = `${recent.length} refused in ten minutes, the last from ${last.source} as ${last.username}`;
      return recent.some(({ status }) => status === 403)
        ? fail(
            evidence,
            'A phone sent wrong passwords so often that its address is shut out for a while.',
            'Correct username and password in the phone, then wait a minute.',
          )
        : warn(
            evidence,
            'A phone has a wrong username or password.',
            'Enter the line’s SIP username and password in the phone again.',
          );
    },
  },
  {
    id: 'voice.phones',
    about: 'Does every line have a phone?',
    needs: ['voice.listener', 'voice.lines', 'voice.refused'],
    judge({ voice: { lines }, profile, uptime }) {
      if (profile === 'ip-appliance') return skip('it is its own phone');
      const without = lines.filter(({ kind, phones }) => kind === 'phone' && phones.length === 0);
      if (lines.length === 0) return skip('no line');
      if (without.length === 0) return ok(`${lines.length} lines`);
      if (uptime < 90_000) return skip('just started; phones register again by themselves');
      return warn(
        `no phone on ${without
          .map(({ number }) => number)
          .slice(0, 8)
          .join(', ')}`,
        'The phone is off, not on this network, or was never set up.',
        'Switch it on; its registrar is this gateway’s address and SIP port.',
      );
    },
  },
  {
    id: 'voice.dropped',
    about: 'Are all SIP messages taken?',
    judge: ({ voice: { dropped } }) =>
      dropped < 20
        ? ok(`${dropped} dropped in ten minutes`)
        : warn(
            `${dropped} messages dropped in ten minutes`,
            'Something on the LAN sends far more SIP than a phone does.',
            'Find it by `hearthline logs`; a scanner, or a phone in a loop.',
          ),
  },
];

export const modemChecks: readonly Check[] = [
  {
    id: 'voice.modem',
    about: 'Could the mobile modem call for help?',
    judge({ modem, uptime }) {
      if (modem === undefined) return skip('there is none');
      const { state, registration, sim, signal, sound } = modem;
      const evidence = `${state}, network ${registration}${signal === undefined ? '' : `, ${signal} dBm`}, SIM ${sim}`;
      if (state === 'starting' || (state === 'closed' && uptime < 30_000)) return skip('it is just starting');
      if (state !== 'ready')
        return fail(
          evidence,
          state === 'closed' ? 'Its serial line is not there.' : 'Nothing answers at its serial line.',
          'See that it is plugged in and has power; compare --emergency-modem with `hearthline serial list`.',
        );
      if (!sound)
        return fail(
          evidence,
          'The port for its sound is not open: nobody would be heard.',
          'Give it with --emergency-modem-audio; see `hearthline serial list`.',
        );
      if (registration === 'home' || registration === 'roaming') return ok(evidence);
      // A network may still take a call for help; nobody can promise it.
      return warn(
        evidence,
        'No network has taken the modem in.',
        'Put a SIM in, see that it needs no PIN, and find a better place for the antenna.',
      );
    },
  },
];

export const mediaChecks: readonly Check[] = [
  {
    id: 'media.engine',
    about: 'Is the media engine alive?',
    judge: ({ media: { engine } }) =>
      engine.ok
        ? ok(`answered in ${Math.round(engine.ms)} ms`)
        : fail(
            engine.text,
            'The process that carries sound has ended and does not start.',
            'Restart the gateway; its own log stands in the state folder under media/.',
          ),
  },
  {
    id: 'media.ports',
    about: 'Is there a free RTP port?',
    needs: ['media.engine'],
    judge({ media: { port } }) {
      if (port === undefined) return skip('not tried');
      return port.ok
        ? ok('a port was opened and closed')
        : fail(
            port.text,
            'All RTP ports are taken, by calls or by another program.',
            'Give a wider range with --media.',
          );
    },
  },
  {
    id: 'media.one-way',
    about: 'Do live calls get sound?',
    needs: ['media.engine'],
    judge(facts) {
      const { streams } = facts.media;
      if (streams.length === 0) return skip('no call is up');
      const silent = streams.filter(({ silentFor }) => silentFor > 5_000);
      const [first] = silent;
      if (first === undefined) return ok(`${streams.length} streams`);
      const evidence = `${first.id}: nothing${first.peer === undefined ? '' : ` from ${first.peer}`} for ${span(first.silentFor)}`;
      return fail(evidence, ...SILENCE[sideOf(first, facts) ?? 'unknown']);
    },
  },
  {
    id: 'media.loss',
    about: 'Do packets of live calls arrive?',
    needs: ['media.one-way'],
    judge({ media: { streams } }) {
      const both = streams
        .filter(({ received }) => received >= ENOUGH)
        .flatMap(({ id, peer = 'the other side', loss, remoteLoss }) => [
          { loss, evidence: `${id}: ${percent(loss)} of what ${peer} sends lost` },
          // The other side's own count (RFC 3550 section 6.4.1).
          ...(remoteLoss === undefined
            ? []
            : [{ loss: remoteLoss, evidence: `${id}: ${percent(remoteLoss)} of what goes to ${peer} lost` }]),
        ]);
      const [top] = both.sort((a, b) => b.loss - a.loss);
      if (top === undefined) return skip('no call is up');
      const { evidence } = top;
      const [cause, next] = [
        'The network between phone, gateway and cloud loses packets.',
        'Use a cable in place of Wi-Fi; see what else fills the line.',
      ];
      if (top.loss < 0.02) return ok(evidence);
      return top.loss < 0.1 ? warn(evidence, cause, next) : fail(evidence, cause, next);
    },
  },
  {
    id: 'media.jitter',
    about: 'Do packets of live calls arrive evenly?',
    needs: ['media.one-way'],
    judge({ media: { streams } }) {
      const top = worst(
        streams.filter(({ received }) => received >= ENOUGH),
        ({ jitter }) => jitter,
      );
      if (top === undefined) return skip('no call is up');
      const evidence = `${top.id}: ${Math.round(top.jitter)} ms`;
      return top.jitter <= 40
        ? ok(evidence)
        : warn(
            evidence,
            'The network is busy or the radio is disturbed; the jitter buffer holds 60 ms.',
            'Use a cable in place of Wi-Fi; give voice priority in the router.',
          );
    },
  },
];

export const homeChecks: readonly Check[] = [
  {
    id: 'lan.listener',
    about: 'Does the gateway hear the house’s devices?',
    needs: ['network.interface'],
    judge({ lan }) {
      if (lan === undefined) return skip('this profile does not watch its LAN');
      if (lan.lans.length === 0) return skip('no private network here');
      const deaf = lan.lans.filter(({ sockets }) => sockets < 3);
      return deaf.length === 0
        ? ok(`${lan.devices} devices on ${lan.lans.map(({ name }) => name).join(', ')}`)
        : warn(
            `${deaf.map(({ name, sockets }) => `${name}: ${sockets} of 3 sockets`).join(', ')}`,
            'Another program holds SSDP port 1900 or mDNS port 5353 for itself.',
            'Let it share the port, or stop it.',
          );
    },
  },
  {
    id: 'lan.inventory',
    about: 'Is there room for all devices?',
    judge({ lan }) {
      if (lan === undefined) return skip('this profile does not watch its LAN');
      return lan.devices < 256
        ? ok(`${lan.devices} devices`)
        : warn(
            `${lan.devices} devices`,
            'Something announces more devices than a house has.',
            'Find it by `hearthline lan hosts`.',
          );
    },
  },
  {
    id: 'system.errors',
    about: 'Is the log free of errors?',
    judge: ({ error }) =>
      error === undefined
        ? ok('none in ten minutes')
        : warn(
            `${error.count} in ten minutes, the last ${error.event}`,
            'The program met something that it did not expect.',
            'See `hearthline logs --level error`; send a bundle if it goes on.',
          ),
  },
];
