/** linphonec as a phone without a sound card: it says one WAV file and records into another, and does what is typed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sine } from '#shared/rtp/measure.ts';
import { WAV_HEADER, writeWav } from '#shared/rtp/wav.ts';

export interface LinphoneOptions {
  /** Folder of its own. */
  readonly folder: string;
  /** `127.0.0.1:5060` */
  readonly server: string;
  readonly transport: 'udp' | 'tcp';
  readonly domain: string;
  readonly username: string;
  readonly password: string;
  /** First of its RTP ports. */
  readonly rtp: number;
}

export class Linphone {
  readonly child: ChildProcess;
  readonly #folder: string;
  output = '';

  constructor(options: LinphoneOptions) {
    const { folder } = options;
    this.#folder = folder;
    // Without the folder of its database it opens no port.
    mkdirSync(join(folder, '.local/share/linphone'), { recursive: true });
    writeFileSync(join(folder, 'rc'), settings(options));
    this.child = spawn('linphonec', ['-S', '-c', join(folder, 'rc')], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, HOME: folder },
    });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.on('data', (data) => {
        this.output += String(data);
      });
    this.type('soundcard use files');
  }

  type(command: string): void {
    this.child.stdin?.write(`${command}\n`);
  }

  /** Says a tone from now on, and keeps what it hears. */
  talk(hertz: number): void {
    const voice = join(this.#folder, 'voice.wav');
    writeFileSync(voice, writeWav(sine(hertz, -17, 8000 * 60)));
    this.type(`play ${voice}`);
    this.type(`record ${join(this.#folder, 'heard.wav')}`);
  }

  /** What it has recorded, 16 bit and 8 kHz; the sizes in its file's header are never right. */
  heard(): Int16Array {
    const samples = readFileSync(join(this.#folder, 'heard.wav')).subarray(WAV_HEADER);
    return Int16Array.from({ length: samples.length >> 1 }, (_, i) => samples.readInt16LE(2 * i));
  }
}

function settings({ server, transport, domain, username, password, rtp }: LinphoneOptions): string {
  const [off, on] = transport === 'udp' ? ['sip_tcp_port', 'sip_port'] : ['sip_port', 'sip_tcp_port'];
  return `[sip]
${off}=0
${on}=-1
sip_tls_port=0
default_proxy=0
use_ipv6=0
guess_hostname=1
register_only_when_network_is_up=0
[rtp]
audio_rtp_port=${rtp}
[proxy_0]
reg_proxy=<sip:${server};transport=${transport}>
reg_route=<sip:${server};transport=${transport};lr>
reg_identity=<sip:${username}@${domain}>
reg_expires=300
reg_sendregister=1
[auth_info_0]
username=${username}
passwd=${password}
realm=${domain}
domain=${domain}
`;
}
