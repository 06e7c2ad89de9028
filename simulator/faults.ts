/** The faults of the simulator, one table: what each is, what it needs, how it begins and ends. Usable in code and by `--fault`. */
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { Random } from '#shared/kernel/world.ts';
import type { StageHome } from './home.ts';
import { startImpostor } from './impostor.ts';
import type { AnyStage } from './stage.ts';

/** Where a fault strikes: the cloud … */
export interface CloudScene {
  readonly stage: AnyStage;
  readonly random: Random;
}

/** … or one home's gateway. */
export interface Scene extends CloudScene {
  readonly home: StageHome;
}

interface FaultFacts {
  readonly about: string;
  /** The number that it takes, its unit, and what it is where none is given. */
  readonly value?: { readonly unit: 'ms' | 'share'; readonly usual: number };
  /** How long it lasts where nothing else is said, ms; 0: it is over at once. */
  readonly lasts: number;
}

/** Ends a fault. */
type End = () => Promise<void> | void;

/** `begin` begins it; the result ends it. */
export type FaultKind = FaultFacts &
  (
    | { readonly target: 'home'; begin(scene: Scene, value: number): Promise<End> }
    | { readonly target: 'cloud'; begin(scene: CloudScene, value: number): Promise<End> }
  );

const weather =
  (
    change: (value: number) => Parameters<StageHome['trouble']['set']>[0],
    end: Parameters<StageHome['trouble']['set']>[0],
  ) =>
  async ({ home }: Scene, value: number) => {
    home.trouble.set(change(value));
    return () => home.trouble.set(end);
  };

/** Milliseconds that a power cut waits for a write to tear. */
const TEAR_WITHIN = 2_000;

export const faultKinds = {
  'link-drop': {
    about: 'the way between gateway and cloud is cut; what was sent waits',
    target: 'home',
    lasts: 30_000,
    begin: weather(() => ({ cut: true }), { cut: false }),
  },
  'half-open': {
    about: 'the open streams go silent, each end believes in them; new ones work',
    target: 'home',
    lasts: 0,
    begin: async ({ home }) => {
      home.trouble.halfOpen();
      return () => {};
    },
  },
  reset: {
    about: 'the open streams break; new ones work',
    target: 'home',
    lasts: 0,
    begin: async ({ home }) => {
      home.trouble.reset();
      return () => {};
    },
  },
  latency: {
    about: 'everything takes longer, each way',
    target: 'home',
    value: { unit: 'ms', usual: 250 },
    lasts: 30_000,
    begin: weather((delay) => ({ delay }), { delay: 0 }),
  },
  loss: {
    about: 'packets are lost; streams pay for it with time',
    target: 'home',
    value: { unit: 'share', usual: 0.05 },
    lasts: 30_000,
    begin: weather((loss) => ({ loss }), { loss: 0 }),
  },
  reorder: {
    about: 'datagrams overtake each other',
    target: 'home',
    value: { unit: 'share', usual: 0.2 },
    lasts: 30_000,
    begin: weather((reorder) => ({ reorder }), { reorder: 0 }),
  },
  duplicate: {
    about: 'datagrams arrive twice',
    target: 'home',
    value: { unit: 'share', usual: 0.2 },
    lasts: 30_000,
    begin: weather((duplicate) => ({ duplicate }), { duplicate: 0 }),
  },
  'slow-consumer': {
    about: 'the gateway reads nothing that the cloud sends',
    target: 'home',
    lasts: 30_000,
    begin: weather(() => ({ deaf: true }), { deaf: false }),
  },
  'clock-jump': {
    about: 'the gateway’s wall clock jumps ahead, and back at the end',
    target: 'home',
    value: { unit: 'ms', usual: 3_600_000 },
    lasts: 60_000,
    begin: async ({ home: { trouble } }, value) => {
      trouble.ahead += value;
      return () => {
        trouble.ahead -= value;
      };
    },
  },
  'power-cut': {
    about: 'power fails in the middle of a write, of which a part arrives; the gateway starts again at the end',
    target: 'home',
    lasts: 5_000,
    begin: async ({ home, stage, random }) => {
      await powerCut(home, stage, random.fraction());
      return () => home.powerOn();
    },
  },
  'disk-full': {
    about: 'the gateway’s disk takes nothing more',
    target: 'home',
    lasts: 30_000,
    begin: async ({ home: { trouble } }) => {
      trouble.diskFull = true;
      return () => {
        trouble.diskFull = false;
      };
    },
  },
  'bad-certificate': {
    about: 'whoever answers in the cloud’s place shows a certificate of a stranger',
    target: 'home',
    lasts: 20_000,
    begin: ({ home, stage }) => impersonate(home, stage, 'stranger'),
  },
  'expired-certificate': {
    about: 'the cloud’s certificate is over',
    target: 'home',
    lasts: 20_000,
    begin: ({ home, stage }) => impersonate(home, stage, 'expired'),
  },
  'cloud-restart': {
    about: 'the cloud is killed in the middle of what it does, and started again at the end',
    target: 'cloud',
    lasts: 3_000,
    begin: async ({ stage }) => {
      await stage.killCloud();
      return () => stage.startCloud();
    },
  },
} as const satisfies Record<string, FaultKind>;

export type FaultName = keyof typeof faultKinds;
export const faultNames = Object.keys(faultKinds) as FaultName[];

async function powerCut(home: StageHome, stage: AnyStage, share: number): Promise<void> {
  const { clock } = stage.ground;
  await new Promise<void>((resolve) => {
    const off = () => {
      timer.cancel();
      home.trouble.tear = undefined;
      home.powerOff();
      resolve();
    };
    const timer = clock.at(clock.mono() + TEAR_WITHIN, off);
    home.trouble.tear = { share, torn: off };
  });
}

async function impersonate(
  home: StageHome,
  stage: AnyStage,
  who: 'stranger' | 'expired',
): Promise<() => Promise<void>> {
  const impostor = await startImpostor(stage, who);
  home.trouble.set({ impostor: impostor.address });
  home.trouble.reset();
  return async () => {
    home.trouble.set({ impostor: undefined });
    await impostor.close();
  };
}

/** A fault that is to come. */
export interface PlannedFault {
  readonly kind: FaultName;
  readonly value: number;
  /** The home that it strikes, counted from 1; undefined: each home, one after another in no time. */
  readonly home: number | undefined;
  /** Milliseconds after the cloud is up; and how long it lasts. */
  readonly at: number;
  readonly lasts: number;
  /** As it was given. */
  readonly text: string;
}

const SYNTAX = 'KIND[=VALUE][:HOME]@TIME[+DURATION], as in loss=0.1:2@5s+30s';

/** Reads `kind[=value][:home]@time[+duration]`; times are ms, or have a unit (ms, s, m). The error says what is wrong and what there is. */
export function readFault(text: string): Result<PlannedFault, string> {
  const match = /^([a-z-]+)(?:=([0-9.]+))?(?::([0-9]{1,5}))?@([0-9.]+(?:ms|s|m)?)(?:\+([0-9.]+(?:ms|s|m)?))?$/.exec(
    text,
  );
  if (match === null) return err(`"${text}" is no fault: write ${SYNTAX}`);
  const [, name = '', given, home, at = '', lasts] = match;
  const kind = faultNames.find((one) => one === name);
  if (kind === undefined) return err(`there is no fault "${name}"; there are ${faultNames.join(', ')}`);
  const entry: FaultKind = faultKinds[kind];
  if (given !== undefined && entry.value === undefined) return err(`"${text}": ${kind} takes no value`);
  const value = given === undefined ? (entry.value?.usual ?? 0) : Number(given);
  if (!Number.isFinite(value) || (entry.value?.unit === 'share' && value > 1))
    return err(`"${text}": the value of ${kind} is ${entry.value?.unit === 'ms' ? 'a time in ms' : 'between 0 and 1'}`);
  if (home !== undefined && Number(home) < 1) return err(`"${text}": homes count from 1`);
  const [start, length] = [milliseconds(at), lasts === undefined ? entry.lasts : milliseconds(lasts)];
  if (start === undefined || length === undefined) return err(`"${text}": a time is a number with ms, s or m`);
  return ok({ kind, value, home: home === undefined ? undefined : Number(home), at: start, lasts: length, text });
}

function milliseconds(text: string): number | undefined {
  const match = /^([0-9]+(?:\.[0-9]+)?)(ms|s|m)?$/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * { ms: 1, s: 1000, m: 60_000 }[(match[2] ?? 'ms') as 'ms' | 's' | 'm'];
}
