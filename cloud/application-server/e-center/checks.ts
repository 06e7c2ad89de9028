/** The automatic checks of a package: everything that can be said of it before a person looks. */
import type { Sandbox, SandboxEvent } from '#shared/applet/sandbox.ts';
import { within } from '#shared/kernel/time.ts';
import type { Clock } from '#shared/kernel/world.ts';
import type { AppPackage, Manifest } from '#shared/protocol/applet-manifest.ts';
import { verbEntry, verbs } from '#shared/protocol/verbs/index.ts';
import { inRange } from '#shared/protocol/version.ts';

export interface Check {
  readonly check: string;
  readonly ok: boolean;
  readonly detail?: string;
}

/** Milliseconds in which a bundle must have had its first turn. */
const FIRST_TURN = 5000;

export interface CheckOptions {
  readonly sandbox: () => Sandbox;
  readonly clock: Clock;
  /** Services that the operator runs. */
  readonly services: ReadonlySet<string>;
}

/** All checks, in order; the package's form, size and signature were looked at when it was read. */
export async function checkPackage(pack: AppPackage, options: CheckOptions): Promise<Check[]> {
  const { manifest, bundles } = pack;
  const found = [...judgeManifest(manifest, options.services)];
  for (const half of ['cloud', 'applet'] as const) {
    const bundle = bundles[half];
    if (bundle === undefined) continue;
    const fault = await firstTurn(bundle, half, options);
    found.push(judged(`${half} half starts in the sandbox within its limits`, fault));
  }
  return found;
}

function judged(check: string, fault: string | undefined): Check {
  return fault === undefined ? { check, ok: true } : { check, ok: false, detail: fault };
}

function* judgeManifest(manifest: Manifest, services: ReadonlySet<string>): Generator<Check> {
  const known = new Set((Object.keys(verbs) as (keyof typeof verbs)[]).map((name) => verbEntry(name)?.scope));
  const strange = manifest.scopes.find((scope) => !known.has(scope as `${string}:read`));
  yield judged('every scope exists', strange === undefined ? undefined : `there is no scope ${strange}`);
  const missing = manifest.services.find((service) => !services.has(service));
  yield judged('every service exists', missing === undefined ? undefined : `there is no service ${missing}`);
  yield judged(
    'the version works with itself',
    inRange(manifest.version, manifest.matches) ? undefined : `${manifest.version} is not in ${manifest.matches}`,
  );
  const granted = Object.keys(manifest.permissions).length;
  yield judged(
    'permissions belong to an applet',
    granted === 0 || manifest.applet !== undefined ? undefined : 'there is no applet that could use them',
  );
  yield judged(
    'a cloud half names what it needs',
    manifest.cloud !== undefined || (manifest.scopes.length === 0 && manifest.events.length === 0)
      ? undefined
      : 'there is no cloud half that could use scopes or events',
  );
}

/** Runs a bundle's first turn with nothing granted; undefined where it went well. */
async function firstTurn(
  bundle: string,
  half: 'cloud' | 'applet',
  { sandbox, clock }: CheckOptions,
): Promise<string | undefined> {
  const cell = sandbox();
  const end = new Promise<SandboxEvent>((resolve) => {
    cell.onEvent((event) => {
      if (event.on !== 'message') resolve(event);
    });
  });
  cell.start({ id: 'check', bundle, boot: JSON.stringify({ half, check: true }) });
  const event = await within(clock, FIRST_TURN, end, undefined);
  await cell.close();
  if (event === undefined) return `it did not start within ${FIRST_TURN} ms`;
  return event.on === 'ended' ? `${event.why}: ${event.detail}` : undefined;
}
