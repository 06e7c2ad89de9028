import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { HANDSHAKES, HANDSHAKES_OF_ONE, Handshakes } from './handshakes.ts';
import { hostWorld } from './world.ts';

it('one source has its share, and all have a limit; an end makes room once', () => {
  const all = new Handshakes();
  const fill = (host: string, count: number) => Array.from({ length: count }, (_, port) => all.begin(host, port));
  expect(fill('192.0.2.1', HANDSHAKES_OF_ONE + 1).filter((isIn) => isIn)).toHaveLength(HANDSHAKES_OF_ONE);
  all.end('192.0.2.1', 0);
  all.end('192.0.2.1', 0);
  expect([all.begin('192.0.2.1', 1_000), all.begin('192.0.2.1', 1_001)]).toEqual([true, false]);
  for (let n = 2; n <= HANDSHAKES / HANDSHAKES_OF_ONE; n++) fill(`192.0.2.${n}`, HANDSHAKES_OF_ONE);
  expect(all.begin('192.0.2.99', 1)).toBe(false);
  all.end('192.0.2.2', 5);
  expect(all.begin('192.0.2.99', 1)).toBe(true);
  // A network of one host is one source.
  const six = new Handshakes();
  const taken = Array.from({ length: HANDSHAKES_OF_ONE + 1 }, (_, n) => six.begin(`2001:db8::${n.toString(16)}`, 1));
  expect(taken.at(-1)).toBe(false);
});

it('a port that is used again before its end was told counts once', () => {
  const all = new Handshakes();
  for (let n = 0; n < 2 * HANDSHAKES_OF_ONE; n++) expect(all.begin('192.0.2.1', 7)).toBe(true);
  all.end('192.0.2.1', 7);
  const taken = Array.from({ length: HANDSHAKES_OF_ONE }, (_, port) => all.begin('192.0.2.1', port));
  expect(taken).not.toContain(false);
});

it('who says nothing over TLS holds no more than that, and a handshake that is done counts no more', async () => {
  const { crypto, clock, net } = hostWorld({ level: 'error' });
  const [authority, { publicKey, privateKey: key }] = [await crypto.createKey(), await crypto.createKey()];
  const times = { notBefore: clock.wall() - 1_000, notAfter: clock.wall() + 1e9 };
  const signer = authority.privateKey;
  const of = { subject: 'authority', publicKey: authority.publicKey, signer, use: 'authority' } as const;
  const ca = await crypto.issue({ ...of, ...times });
  const names = ['localhost'];
  const server = { subject: 'localhost', publicKey, signer, issuer: ca, names, use: 'server' } as const;
  const certificate = await crypto.issue({ ...server, ...times });
  const listener = await net.listen(
    { host: '127.0.0.1', port: 0, tls: { certificate, key, asksNone: true } },
    () => {},
  );
  const { port } = listener.local;
  const sockets: Socket[] = [];
  const open = async (): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  };
  const tls = { ca, serverName: 'localhost' };
  const done = [];
  for (let n = 0; n < 3; n++) done.push(await net.connect({ host: '127.0.0.1', port, tls }));
  for (let n = 0; n < HANDSHAKES_OF_ONE; n++) await open();
  const over = await open();
  await once(over, 'close');
  await expect(net.connect({ host: '127.0.0.1', port, tls })).rejects.toThrow();
  expect(sockets.filter((socket) => !socket.destroyed)).toHaveLength(HANDSHAKES_OF_ONE);
  sockets[0]?.destroy();
  for (let tries = 0; done.length < 4 && tries < 50; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    await net.connect({ host: '127.0.0.1', port, tls }).then(
      (stream) => done.push(stream),
      () => undefined,
    );
  }
  expect(done).toHaveLength(4);
  for (const socket of sockets) socket.destroy();
  await listener.close();
});
