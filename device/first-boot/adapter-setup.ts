/**
 * The first step of a gateway's start, as root: reads the boot partition, decides, writes what network and agent start with, and
 * answers on the same partition. It fails only where the data partition cannot be written; all else is told and gone on without.
 */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fchownSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { SETTINGS_FILE, STATUS_FILE } from '#shared/protocol/image-settings.ts';
import {
  KEPT_OCTETS,
  type KeptNetwork,
  newKeptNetwork,
  type Ports,
  planRouter,
  type RouterPlan,
} from '../home-network/router.ts';
import { routerFiles } from '../home-network/router-files.ts';
import { appliedLines, DEFAULT_HOSTNAME } from './applied.ts';
import { type Decision, decide, readKept } from './decide.ts';
import { IMAGER_FILES } from './imager.ts';
import { type SetupReport, type StageReport, statusText } from './status-text.ts';

/** Where the partitions and the kernel's files are; other folders in tests. */
export interface SetupPlaces {
  readonly boot: string;
  readonly data: string;
  readonly run: string;
  readonly etc: string;
  readonly sys: string;
  readonly proc: string;
}

/** Octets of a file on the boot partition that is read. */
const FILE_LIMIT = 64 * 1024;
/** The user under whom the agent runs. */
const AGENT = 'hearthline';
/** What is kept of the settings, on the data partition. */
const KEPT = 'hearthline-net/settings.json';

/** Does the step; `agent` are settings for `device.json` that the image brings, by option name. */
export function runSetup(places: SetupPlaces, agent: Readonly<Record<string, string>>): SetupReport {
  const { boot, data, run } = places;
  const decision = decide({
    file: readSmall(join(boot, SETTINGS_FILE)),
    imager: Object.fromEntries(IMAGER_FILES.map((name) => [name, readSmall(join(boot, name))?.toString('utf8')])),
    kept: readKept(readSmall(join(data, KEPT))),
    paired: isPaired(join(data, 'hearthline/pairing.json')),
    sha256: (text) => createHash('sha256').update(text).digest('hex'),
  });
  const plan = prepare(places, decision, agent);
  const faults: string[] = [];
  attempt(faults, 'the host name', () =>
    writePlain(join(places.proc, 'sys/kernel/hostname'), decision.settings.hostname ?? DEFAULT_HOSTNAME),
  );
  const report: SetupReport = {
    version: imageVersion(places),
    source: decision.source,
    problems: decision.problems,
    notes: decision.notes,
    applied: appliedLines(decision.settings, plan, decision.claim !== undefined),
    faults,
  };
  const { rewritten } = decision;
  attempt(faults, 'the boot partition', () =>
    writable(places, () => {
      if (rewritten !== undefined) write(join(boot, SETTINGS_FILE), rewritten, 0o644);
      write(join(boot, STATUS_FILE), statusText(report, undefined), 0o644);
    }),
  );
  write(join(run, 'hearthline/setup.json'), JSON.stringify(report), 0o644);
  return report;
}

/** Writes what agent and network start with. */
function prepare(places: SetupPlaces, decision: Decision, agent: Readonly<Record<string, string>>): RouterPlan {
  const { data, run } = places;
  const plan = planRouter(decision.settings, portsOf(places.sys), keptNetwork(join(data, 'hearthline-net/kept.json')));
  const owner = ownerOf(places.etc);
  // The claim first: once it is marked as taken it must be where the agent finds it.
  if (decision.claim !== undefined)
    write(join(data, 'hearthline/claim.json'), JSON.stringify({ claim: decision.claim }), 0o600, owner);
  write(join(data, KEPT), JSON.stringify(decision.keep), 0o600);
  for (const { path, mode, text } of routerFiles(plan)) write(path.replace(/^\/run(?=\/)/, run), text, mode);
  // The house has to learn the password of its own network: the agent shows it on its page, on the house's side.
  if (plan.wifi.at === 'access-point') {
    const { ssid, password } = plan.wifi;
    write(join(run, 'hearthline/wifi.json'), JSON.stringify({ ssid, password }), 0o600, owner);
  }
  write(
    join(data, 'hearthline/device.json'),
    `${JSON.stringify(agentSettings(decision, agent), undefined, 2)}\n`,
    0o600,
    owner,
  );
  return plan;
}

/** Writes the status file anew with the stage that the agent has reached; does nothing before the setup has run. */
export function tellStage(places: SetupPlaces): void {
  const [setup, stage] = ['setup.json', 'stage.json'].map((name) => readSmall(join(places.run, 'hearthline', name)));
  if (setup === undefined) return;
  const report = JSON.parse(setup.toString('utf8')) as SetupReport;
  const stages = stage === undefined ? undefined : (JSON.parse(stage.toString('utf8')) as StageReport);
  const text = statusText(report, stages);
  const path = join(places.boot, STATUS_FILE);
  if (readSmall(path)?.toString('utf8') === text) return;
  writable(places, () => write(path, text, 0o644));
}

function agentSettings({ settings }: Decision, agent: Readonly<Record<string, string>>): Record<string, string> {
  const { cloud, profile, proxy } = settings;
  return {
    ...agent,
    ...(cloud === undefined ? {} : { cloud }),
    ...(profile === undefined ? {} : { profile }),
    ...(proxy === undefined ? {} : { proxy }),
  };
}

/** The file's octets; undefined where there is none, or none that could be ours. */
function readSmall(path: string): Buffer | undefined {
  try {
    return statSync(path).size > FILE_LIMIT ? Buffer.alloc(FILE_LIMIT + 1) : readFileSync(path);
  } catch {
    return undefined;
  }
}

function isPaired(path: string): boolean {
  try {
    return (JSON.parse(readFileSync(path, 'utf8')) as { at?: unknown }).at === 'paired';
  } catch {
    return false;
  }
}

/** Network names and passphrase of this gateway alone, made at its first start. */
function keptNetwork(path: string): KeptNetwork {
  try {
    const kept = JSON.parse(readFileSync(path, 'utf8')) as KeptNetwork;
    if ([kept.ula, kept.ssid, kept.password].every((value) => typeof value === 'string' && value !== '')) return kept;
  } catch {
    // Made anew below: a damaged file is as good as none.
  }
  const kept = newKeptNetwork(randomBytes(KEPT_OCTETS));
  write(path, JSON.stringify(kept), 0o600);
  return kept;
}

/** The ports that are hardware: with a device behind them, so bridges, tunnels and the loopback are none. */
function portsOf(sys: string): Ports {
  const folder = join(sys, 'class/net');
  const names = existsSync(folder) ? readdirSync(folder).sort() : [];
  const hardware = names.filter((name) => existsSync(join(folder, name, 'device')));
  const radios = hardware.filter((name) => existsSync(join(folder, name, 'phy80211')));
  const [port] = radios;
  const ethernet = hardware.filter((name) => !radios.includes(name) && /^(eth|en|usb|end)/.test(name));
  return { ethernet, ...(port === undefined ? {} : { radio: { port, driver: driverOf(join(folder, port)) } }) };
}

function driverOf(folder: string): string {
  try {
    return basename(readlinkSync(join(folder, 'device/driver')));
  } catch {
    return '';
  }
}

/** User and group of the agent; undefined on a machine that has no such user. */
function ownerOf(etc: string): readonly [number, number] | undefined {
  const passwd = readSmall(join(etc, 'passwd'))?.toString('utf8') ?? '';
  const row = passwd
    .split('\n')
    .find((line) => line.startsWith(`${AGENT}:`))
    ?.split(':');
  return row === undefined ? undefined : [Number(row[2]), Number(row[3])];
}

function imageVersion({ etc, proc }: SetupPlaces): string {
  const slot = /\bhearthline\.slot=([AB])\b/.exec(readSmall(join(proc, 'cmdline'))?.toString('utf8') ?? '')?.[1];
  let version = 'unknown';
  try {
    version = String(
      (JSON.parse(readFileSync(join(etc, 'hearthline/image.json'), 'utf8')) as { version?: unknown }).version,
    );
  } catch {
    // An image that does not know itself is told as it is.
  }
  return slot === undefined ? version : `${version}, slot ${slot}`;
}

/** New file, sync, rename: whoever reads it finds the old or the new one. */
function write(path: string, text: string, mode: number, owner?: readonly [number, number]): void {
  mkdirSync(dirname(path), { recursive: true });
  const next = `${path}.new`;
  rmSync(next, { force: true });
  const file = openSync(next, 'wx', mode);
  try {
    if (owner !== undefined && process.getuid?.() === 0) fchownSync(file, ...owner);
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(next, path);
}

/** A file of the kernel's, which takes no rename. */
function writePlain(path: string, text: string): void {
  const file = openSync(path, 'r+');
  try {
    writeSync(file, text);
  } finally {
    closeSync(file);
  }
}

function attempt(faults: string[], what: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    faults.push(`${what} could not be written (${error instanceof Error ? error.message : String(error)})`);
  }
}

/** Runs `work` while the boot partition takes writes: it is mounted to be read only, and again afterwards. */
function writable({ boot, proc }: SetupPlaces, work: () => void): void {
  const mounts = readSmall(join(proc, 'self/mountinfo'))?.toString('utf8').split('\n') ?? [];
  const mount = mounts.findLast((line) => line.split(' ')[4] === boot);
  const closed = mount !== undefined && (mount.split(' ')[5] ?? '').split(',').includes('ro');
  const remount = (how: 'ro' | 'rw') => execFileSync('mount', ['-o', `remount,${how}`, boot], { stdio: 'ignore' });
  if (closed) remount('rw');
  try {
    work();
  } finally {
    if (closed) remount('ro');
  }
}
