/**
 * The update helper: the one program of the gateway that may write a slot, as root. It knows a handful of orders and asks RAUC to carry
 * them out. A bundle is opened once, without following links, and copied to where only root writes; everything after that is about the
 * copy, so that nobody can swap what was checked. Who may ask is the socket's group.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { appendFile, chmod, chown, type FileHandle, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { makeFolder } from '#shared/host/folder.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { Clock, Log } from '#shared/kernel/world.ts';
import { type Fault, type FaultCode, fault } from '#shared/protocol/fault.ts';
import { BUNDLE_LIMIT } from '#shared/protocol/verbs/rollout.ts';
import { compareVersions, isVersion } from '#shared/protocol/version.ts';
import { type LocalSocket, serveLocal } from '../diagnostics/adapter-socket.ts';
import type { BoardFacts, BundleFacts, Refusal, Slot, Wreck } from './board.ts';
import { isSlow, readImage, readInfo, readStatus, readWreck, refusalIn } from './rauc.ts';

export interface HelperOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** The Unix socket, and the number of the group that may ask. */
  readonly socket: string;
  readonly group: number;
  /** Where the agent puts bundles, and where root keeps their copies and the floor. */
  readonly folder: string;
  readonly keep: string;
  /** Folder of what lasts until the next start of the board. */
  readonly run: string;
  /** Folder of the slots' stage logs. */
  readonly logs: string;
  /** `image.json` of the running system. */
  readonly image: string;
  /** Words before RAUC's own: the program and its configuration. */
  readonly rauc: readonly string[];
  readonly reboot: readonly string[];
}

/** Milliseconds that a program may take, and octets of its output. */
const QUICK = 120_000;
const INSTALL = 25 * 60_000;
const OUTPUT = 1024 * 1024;
const PART = 1024 * 1024;
/** Questions to RAUC that the message bus may lose; it waits 25 s for each. */
const PATIENCE = 4;

interface Ran {
  readonly ok: boolean;
  readonly out: string;
  readonly error: string;
}

/** Serves until it is closed; one order at a time. */
export async function serveHelper(options: HelperOptions): Promise<LocalSocket> {
  await prepare(options);
  const helper = new Helper(options);
  let order: Promise<unknown> = Promise.resolve();
  const answer = (verb: string, body: unknown): Promise<Result<unknown, Fault>> => {
    const mine = order.then(() => helper.obey(verb, (body ?? {}) as Record<string, unknown>));
    order = mine.catch(() => {});
    return mine.catch((error: unknown) => {
      options.log.error('helper.failed', { verb, error: String(error) });
      return err(fault('internal', 'The update helper made an error.'));
    });
  };
  return serveLocal(options.clock, options.socket, answer, { group: options.group });
}

async function prepare({ folder, keep, group }: HelperOptions): Promise<void> {
  await makeFolder(keep);
  await chmod(keep, 0o700);
  await makeFolder(folder, 0o770);
  await chown(folder, process.getuid?.() ?? 0, group);
  await chmod(folder, 0o770);
}

class Helper {
  readonly #o: HelperOptions;

  constructor(options: HelperOptions) {
    this.#o = options;
  }

  async obey(verb: string, body: Record<string, unknown>): Promise<Result<unknown, Fault>> {
    switch (verb) {
      case 'status':
        return answered(await this.#status());
      case 'inspect':
        return answered(await this.#inspect(String(body.file ?? '')));
      case 'install':
        return answered(await this.#install(String(body.sha256 ?? '')));
      case 'mark-good':
        return answered(await this.#mark('good'));
      case 'mark-bad':
        return answered(await this.#mark('bad'));
      case 'reboot':
        return answered(await this.#reboot());
      case 'wreck':
        return body.slot === 'A' || body.slot === 'B'
          ? ok(await this.#wreck(body.slot, String(body.after ?? '')))
          : err(fault('bad_request', 'A slot is A or B.'));
      case 'reached':
        return body.stage === 'agent' || body.stage === 'session'
          ? answered(await this.#reached(body.stage))
          : err(fault('bad_request', 'The agent reaches the stages agent and session.'));
      default:
        return err(fault('bad_request', 'The update helper knows no such order.'));
    }
  }

  async #status(): Promise<Result<BoardFacts, Refusal>> {
    const ask = () => this.#rauc(['status', '--output-format=json'], QUICK);
    let ran = await ask();
    // The first question starts RAUC's service; a busy board may take longer for that than the message bus waits.
    for (let tries = 1; tries < PATIENCE && !ran.ok && isSlow(ran.error); tries++) ran = await ask();
    const status = ran.ok ? readStatus(ran.out) : undefined;
    const version = readImage(await textOf(this.#o.image));
    if (status === undefined || version === undefined)
      return err(
        ran.ok
          ? { code: 'update_not_possible', detail: 'No slot of an image runs.' }
          : refusalIn(ran.error, 'update_not_possible'),
      );
    const boot = (await textOf('/proc/sys/kernel/random/boot_id')).trim();
    const good = (await textOf(this.#marker())).trim() === boot;
    const floor = await this.#floor();
    return ok({ ...status, version, good, boot, ...(floor === undefined ? {} : { floor }) });
  }

  /** Only a plain file in the one folder, by a plain name. */
  async #inspect(path: string): Promise<Result<BundleFacts, Refusal>> {
    const { folder } = this.#o;
    const name = path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : '';
    if (!/^[A-Za-z0-9_-]{1,64}\.raucb$/.test(name))
      return err({ code: 'update_not_found', detail: `Bundles lie in ${folder}.` });
    const copied = await this.#copy(`${folder}/${name}`);
    if (!copied.ok) return copied;
    const info = await this.#info();
    return info.ok ? ok({ ...info.value, ...copied.value }) : info;
  }

  /** What the copy says of itself, once RAUC believes its signature. */
  async #info(): Promise<Result<Pick<BundleFacts, 'version' | 'board'>, Refusal>> {
    const ran = await this.#rauc(['info', '--output-format=json', this.#bundle()], QUICK);
    if (!ran.ok) return err(refusalIn(ran.error, 'update_damaged'));
    const info = readInfo(ran.out);
    return info === undefined ? err({ code: 'update_damaged', detail: 'The bundle names no version.' }) : ok(info);
  }

  async #copy(path: string): Promise<Result<Pick<BundleFacts, 'sha256' | 'size'>, Refusal>> {
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
    let from: FileHandle;
    try {
      from = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    } catch (error) {
      const code = (error as { code?: string }).code;
      return err({ code: code === 'ENOENT' ? 'update_not_found' : 'update_swapped', detail: `${path}: ${code}` });
    }
    try {
      const stat = await from.stat();
      if (!stat.isFile()) return err({ code: 'update_swapped', detail: `${path} is no plain file.` });
      if (stat.size < 1 || stat.size > BUNDLE_LIMIT)
        return err({ code: 'update_damaged', detail: `${stat.size} octets` });
      return await this.#write(from, stat.size);
    } catch (error) {
      // On a full disk half a copy would keep even the agent from writing down that there is no room.
      await rm(this.#fresh(), { force: true });
      return err(writeFault(error));
    } finally {
      await from.close();
    }
  }

  /** As many octets as the file had when it was opened, and no more. */
  async #write(from: FileHandle, size: number): Promise<Result<Pick<BundleFacts, 'sha256' | 'size'>, Refusal>> {
    const fresh = this.#fresh();
    await rm(fresh, { force: true });
    const to = await open(fresh, 'wx', 0o600);
    const hash = createHash('sha256');
    try {
      const octets = new Uint8Array(PART);
      for (let at = 0; at < size; ) {
        const { bytesRead } = await from.read(octets, 0, Math.min(PART, size - at), at);
        if (bytesRead === 0)
          return err({ code: 'update_swapped', detail: 'The file became shorter while it was read.' });
        const part = octets.subarray(0, bytesRead);
        hash.update(part);
        await to.writeFile(part);
        at += bytesRead;
      }
      await to.sync();
    } finally {
      await to.close();
    }
    await rename(fresh, this.#bundle());
    return ok({ sha256: hash.digest('hex'), size });
  }

  /** The copy that was inspected last, if it is the one that is meant, and no older than the floor: the agent is not asked. */
  async #install(sha256: string): Promise<Result<void, Refusal>> {
    if ((await hashOf(this.#bundle())) !== sha256) return err({ code: 'update_swapped' });
    const facts = await this.#status();
    if (!facts.ok) return facts;
    const info = await this.#info();
    if (!info.ok) return info;
    const { floor } = facts.value;
    if (floor !== undefined && compareVersions(info.value.version, floor) < 0)
      return err({ code: 'update_too_old', detail: `It is ${info.value.version}; ${floor} has run here already.` });
    await rm(this.#stageLog(facts.value.slot === 'A' ? 'B' : 'A'), { force: true });
    const ran = await this.#rauc(['install', this.#bundle()], INSTALL);
    await rm(this.#bundle(), { force: true });
    return ran.ok ? ok(undefined) : err(refusalIn(`${ran.out}\n${ran.error}`, 'update_install_failed'));
  }

  async #mark(state: 'good' | 'bad'): Promise<Result<void, Refusal>> {
    const ran = await this.#rauc(['status', `mark-${state}`, 'booted'], QUICK);
    if (!ran.ok) return err(refusalIn(ran.error, 'update_install_failed'));
    if (state === 'good') {
      await writeFile(this.#marker(), await textOf('/proc/sys/kernel/random/boot_id'));
      await this.#raise().catch((error: unknown) =>
        this.#o.log.warn('helper.floor', { error: String(error), why: 'it is raised at the next proof' }),
      );
    } else await rm(this.#marker(), { force: true });
    return ok(undefined);
  }

  /** The newest version that ever proved itself here. Root keeps it, so that an agent that was taken over cannot lower it. */
  async #floor(): Promise<string | undefined> {
    const text = (await textOf(this.#floorFile())).trim();
    return isVersion(text) ? text : undefined;
  }

  /** The running version has proved itself: the floor is at least that. New file, sync, rename: old or new, never neither. */
  async #raise(): Promise<void> {
    const version = readImage(await textOf(this.#o.image));
    const floor = await this.#floor();
    if (version === undefined || (floor !== undefined && compareVersions(version, floor) <= 0)) return;
    const fresh = `${this.#floorFile()}.new`;
    await writeFile(fresh, `${version}\n`, { mode: 0o600, flush: true });
    await rename(fresh, this.#floorFile());
  }

  async #reboot(): Promise<Result<void, Refusal>> {
    const [program = '', ...words] = this.#o.reboot;
    const ran = await run(program, words, QUICK);
    return ran.ok ? ok(undefined) : err({ code: 'update_install_failed', detail: ran.error.slice(0, 300) });
  }

  async #wreck(slot: Slot, after: string): Promise<Wreck> {
    const fields = '--output-fields=MESSAGE,PRIORITY,UNIT,_SYSTEMD_UNIT';
    const words = ['-b', '-1', '-n', '500', '-o', 'json', fields, '--no-pager', '-q'];
    const journal = await run('journalctl', words, QUICK);
    return readWreck(await textOf(this.#stageLog(slot)), journal.ok ? journal.out : '', after);
  }

  async #reached(stage: 'agent' | 'session'): Promise<Result<void, Refusal>> {
    const facts = await this.#status();
    if (!facts.ok) return facts;
    const attempt = /hearthline\.attempt=(\d{1,3})/.exec(await textOf('/proc/cmdline'))?.[1] ?? '1';
    const uptime = (await textOf('/proc/uptime')).split(' ')[0] ?? '';
    // A folder that is not there costs the note alone.
    await appendFile(this.#stageLog(facts.value.slot), `${attempt} ${stage} ${uptime}\n`).catch(() => {});
    return ok(undefined);
  }

  #rauc(words: readonly string[], timeout: number): Promise<Ran> {
    const [program = '', ...first] = this.#o.rauc;
    return run(program, [...first, ...words], timeout);
  }

  #bundle(): string {
    return `${this.#o.keep}/bundle.raucb`;
  }

  /** The copy while it is being made. */
  #fresh(): string {
    return `${this.#bundle()}.new`;
  }

  #floorFile(): string {
    return `${this.#o.keep}/floor`;
  }

  #marker(): string {
    return `${this.#o.run}/marked-good`;
  }

  #stageLog(slot: Slot): string {
    return `${this.#o.logs}/boot-${slot}.log`;
  }
}

function run(program: string, words: readonly string[], timeout: number): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { timeout, maxBuffer: OUTPUT, encoding: 'utf8' as const, env: { ...process.env, LC_ALL: 'C' } };
    execFile(program, [...words], options, (failure, out, error) => {
      const why = error === '' && failure !== null ? failure.message : error;
      resolve({ ok: failure === null, out, error: why });
    });
  });
}

function answered<T>(outcome: Result<T, Refusal>): Result<unknown, Fault> {
  return outcome.ok ? ok(outcome.value ?? {}) : err(fault(outcome.fault.code, outcome.fault.detail));
}

function writeFault(error: unknown): Refusal {
  const code = (error as { code?: string }).code;
  const reason: FaultCode = code === 'ENOSPC' || code === 'EDQUOT' ? 'update_no_room' : 'update_install_failed';
  return { code: reason, detail: `the copy of the bundle: ${code ?? String(error)}` };
}

async function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

async function hashOf(path: string): Promise<string | undefined> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return undefined;
  const hash = createHash('sha256');
  try {
    const octets = new Uint8Array(PART);
    for (let read = -1; read !== 0; ) {
      read = (await file.read(octets, 0, PART)).bytesRead;
      hash.update(octets.subarray(0, read));
    }
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}
