import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { notifyDescriptor, watchdogPeriod } from './notify.ts';

describe('what systemd hands over', () => {
  test.each([
    [{ LISTEN_PID: '7', LISTEN_FDS: '1', LISTEN_FDNAMES: 'notify' }, 3],
    [{ LISTEN_PID: '7', LISTEN_FDS: '2', LISTEN_FDNAMES: 'other:notify' }, 4],
    [{ LISTEN_PID: '8', LISTEN_FDS: '1', LISTEN_FDNAMES: 'notify' }, undefined],
    [{ LISTEN_PID: '7', LISTEN_FDS: '1', LISTEN_FDNAMES: 'other:notify' }, undefined],
    [{ LISTEN_PID: '7', LISTEN_FDS: '1' }, undefined],
    [{}, undefined],
  ])('%j: descriptor %s', (environment, descriptor) => expect(notifyDescriptor(environment, 7)).toBe(descriptor));

  test.each([
    [{ WATCHDOG_USEC: '60000000' }, 30_000],
    [{ WATCHDOG_USEC: '60000000', WATCHDOG_PID: '7' }, 30_000],
    [{ WATCHDOG_USEC: '60000000', WATCHDOG_PID: '8' }, undefined],
    [{ WATCHDOG_USEC: 'x' }, undefined],
    [{ WATCHDOG_USEC: '0' }, undefined],
    [{}, undefined],
  ])('%j: every %s ms', (environment, period) => expect(watchdogPeriod(environment, 7)).toBe(period));
});

/** A datagram socket of the Unix kind, connected and inherited as systemd does it, and what arrives on its other end. */
const PARENT = `
import os, socket, subprocess, sys, tempfile
folder = tempfile.mkdtemp()
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
server.bind(folder + '/notify')
client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
client.connect(folder + '/notify')
def child():
    os.dup2(client.fileno(), 3)
    os.environ['LISTEN_PID'] = str(os.getpid())
os.environ.update(LISTEN_FDS='1', LISTEN_FDNAMES='notify', WATCHDOG_USEC='100000')
pid = os.fork()
if pid == 0:
    child()
    os.execv(sys.argv[1], sys.argv[1:])
server.settimeout(20)
seen = []
while True:
    data, ancillary, _, _ = server.recvmsg(4096, 1024)
    sender = int.from_bytes(ancillary[0][2][:4], sys.byteorder)
    seen.append(data.decode())
    if sender != pid: print('FOREIGN', sender)
    if data == b'STOPPING=1': break
os.waitpid(pid, 0)
print('\\n'.join(seen))
`;
const CHILD = `
import { hostWorld } from '#shared/host/world.ts';
import { systemdNotifier } from './cli/notify.ts';
const { clock } = hostWorld({ level: 'error' });
let healthy = true;
const notifier = systemdNotifier(clock, process.env, process.pid, () => healthy);
notifier.ready();
notifier.status('stage 8 of 9,\\n pair');
setTimeout(() => { healthy = false; notifier.status('ill'); }, 330);
setTimeout(() => { notifier.stopping(); }, 700);
`;

test.skipIf(!existsSync('/usr/bin/python3'))(
  'messages arrive one by one, from this process itself, and none while it is ill',
  () => {
    const node = ['bin/node', '--input-type=module-typescript', '-e', CHILD];
    const { stdout, stderr } = spawnSync('/usr/bin/python3', ['-c', PARENT, ...node], { encoding: 'utf8' });
    expect(stderr).toBe('');
    const seen = stdout.trim().split('\n');
    expect(stdout).not.toContain('FOREIGN');
    expect(seen.slice(0, 2).sort()).toEqual(['READY=1', 'STATUS=stage 8 of 9, pair']);
    expect(seen.at(-1)).toBe('STOPPING=1');
    const ill = seen.indexOf('STATUS=ill');
    expect(seen.slice(0, ill).filter((line) => line === 'WATCHDOG=1').length).toBeGreaterThan(0);
    expect(seen.slice(ill + 1)).toEqual(['STOPPING=1']);
  },
);
