/** Interfaces, addresses, route, names. A cloud on this very machine needs none of them. */
import { type Check, fail, ok, percent, skip, warn } from '../check.ts';
import type { Facts } from '../facts.ts';

const outer = ({ addresses }: Facts) => addresses.filter((one) => !one.loopback);
const HERE = 'the cloud runs on this machine';

export const networkChecks: readonly Check[] = [
  {
    id: 'network.interface',
    about: 'Is there a network interface with an address?',
    judge(facts) {
      const found = outer(facts);
      if (found.length > 0)
        return ok(
          found
            .map(({ name, host }) => `${name} ${host}`)
            .slice(0, 6)
            .join(', '),
        );
      if (facts.cloud.here) return skip(HERE);
      return fail(
        'no address beside loopback',
        'The cable is out, Wi-Fi is not joined, or no DHCP server answered.',
        'Plug in the cable, or give the Wi-Fi’s name and password.',
      );
    },
  },
  {
    id: 'network.dhcp',
    about: 'Did a router give the address?',
    needs: ['network.interface'],
    judge(facts) {
      const v4 = outer(facts).filter(({ family }) => family === 4);
      if (v4.length === 0) return skip('no IPv4 here');
      return v4.every(({ host }) => host.startsWith('169.254.'))
        ? fail(
            `only ${v4[0]?.host}, which the gateway gave itself (RFC 3927)`,
            'No DHCP server answers on this network.',
            'Restart the home’s router; check that the cable leads to it.',
          )
        : ok(v4[0]?.host ?? '');
    },
  },
  {
    id: 'network.link',
    about: 'Is the interface up?',
    needs: ['network.interface'],
    judge({ board: { links, route } }) {
      const name = route?.interface;
      const down = [...links].filter(([one, { up }]) => up === false && (name === undefined || one === name));
      if (links.size === 0) return skip('this system does not tell');
      return down.length === 0
        ? ok([...links.keys()].slice(0, 6).join(', '))
        : fail(
            `${down.map(([one]) => one).join(', ')} is down`,
            'The cable or the Wi-Fi was lost.',
            'Check the cable and the port’s light.',
          );
    },
  },
  {
    id: 'network.mtu',
    about: 'Is the interface’s packet size usual?',
    needs: ['network.interface'],
    judge({ board: { links } }) {
      const small = [...links].filter(([, { mtu }]) => mtu !== undefined && mtu < 1280);
      if ([...links.values()].every(({ mtu }) => mtu === undefined)) return skip('this system does not tell');
      return small.length === 0
        ? ok(
            [...links]
              .map(([name, { mtu }]) => `${name} ${mtu}`)
              .slice(0, 6)
              .join(', '),
          )
        : warn(
            `${small.map(([name, { mtu }]) => `${name} ${mtu}`).join(', ')}`,
            'Packets of the usual size do not fit; IPv6 needs 1280 (RFC 8200 section 5).',
            'Set the MTU of the interface to 1500, or to what the line’s manual says.',
          );
    },
  },
  {
    id: 'network.errors',
    about: 'Do packets arrive whole?',
    needs: ['network.interface'],
    judge({ board: { links } }) {
      const told = [...links].filter(([, { packets }]) => (packets ?? 0) >= 1_000);
      if (told.length === 0) return skip('too few packets to judge');
      const bad = told.filter(([, { packets = 1, errors = 0 }]) => errors / packets > 0.01);
      return bad.length === 0
        ? ok('under 1 % in error')
        : warn(
            bad
              .map(([name, { packets = 1, errors = 0 }]) => `${name}: ${percent(errors / packets)} in error`)
              .join(', '),
            'The cable or the port is damaged, or the radio is disturbed.',
            'Use another cable and another port.',
          );
    },
  },
  {
    id: 'network.route',
    about: 'Is there a way out?',
    needs: ['network.dhcp', 'network.link'],
    judge({ board: { route }, cloud }) {
      if (route) return ok(`by ${route.router} on ${route.interface}`);
      if (cloud.here) return skip(HERE);
      if (route === undefined) return skip('this system does not tell');
      return fail(
        'no default route',
        'The DHCP server named no router, or the address was set by hand without one.',
        'Restart the home’s router, or set the router’s address.',
      );
    },
  },
  {
    id: 'network.router',
    about: 'Is the router there?',
    needs: ['network.route'],
    judge({ board: { route, routerKnown }, agent }) {
      if (!route || routerKnown === undefined) return skip('this system does not tell');
      if (routerKnown) return ok(`${route.router} answers on the LAN`);
      // Containers and tunnels have routers without a hardware address; who reaches the cloud has one.
      if (agent?.link.at === 'ready') return skip('it has no hardware address, yet the cloud is reached');
      return fail(
        `${route.router} does not answer on the LAN`,
        'The home’s router is off, or has another address now.',
        'Check the router’s power; restart it.',
      );
    },
  },
  {
    id: 'network.name-server',
    about: 'Is a name server known?',
    needs: ['network.route'],
    judge({ names }) {
      if (names.asked === undefined) return skip('the cloud is given by address, not by name');
      return names.servers.length > 0
        ? ok(names.servers.join(', '))
        : fail(
            'no nameserver in resolv.conf',
            'The DHCP server named none.',
            'Restart the home’s router, or set a name server.',
          );
    },
  },
  {
    id: 'network.names',
    about: 'Is the cloud’s name known?',
    needs: ['network.name-server'],
    judge({ names, agent }) {
      if (names.asked === undefined) return skip('the cloud is given by address, not by name');
      if (names.answer === undefined) return skip('not asked');
      // Who holds the cloud already needs the name only at the next start.
      const bad = agent?.link.at === 'ready' ? warn : fail;
      if (names.answer.ok) {
        const where = names.addresses?.join(', ') ?? '';
        return ok(`${names.asked} is ${where === '' ? 'known' : where} (${Math.round(names.answer.ms)} ms)`);
      }
      return names.answer.code === 'NXDOMAIN'
        ? bad(
            names.answer.text,
            'The name of the cloud is misspelt, or gone.',
            'Compare --cloud with what the operator gave.',
          )
        : bad(
            names.answer.text,
            'The name server does not answer.',
            'Restart the home’s router, or set another name server.',
          );
    },
  },
];
