/** A simulated home with an application installed: what `hearthline app test` and the applications' own tests run on. */
import type { AppPackage } from '#shared/protocol/applet-manifest.ts';
import { rightsOf } from '#shared/protocol/applet-rights.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import type { Stage, StageHome } from './stage.ts';
import { virtualStage } from './virtual-stage.ts';
import type { VirtualWorld } from './world.ts';

export interface AppKit extends AsyncDisposable {
  readonly stage: Stage;
  readonly world: VirtualWorld;
  /** The home that has the application. */
  readonly home: StageHome;
  /** Id of the install. */
  readonly install: string;
  /** How the halves fare, with their logs. */
  cloudHalf(): Promise<VerbReply<'install.status'>>;
  applet(): VerbReply<'applet.status.local'>['items'][number] | undefined;
  /** Lets time pass until the condition holds; throws after `limit` ms of virtual time (default 20 s). */
  until(condition: () => boolean | Promise<boolean>, what: string, limit?: number): Promise<void>;
}

/** Publishes a package as the operator and installs it in a home with full consent. */
export async function installPackage(stage: Stage, home: StageHome, pack: AppPackage): Promise<string> {
  const { id, version } = pack.manifest;
  const published = (await stage.api('app.list', { app: id })).items.some((one) => one.version === version);
  if (!published) await stage.api('app.publish', { package: pack });
  const consent = rightsOf(pack.manifest).map(({ key }) => key);
  return (await stage.api('install.create', { home: home.id, app: id, version, consent })).id;
}

/** Opens a virtual world with a cloud and one home that has the application, both halves running. */
export async function appKit(pack: AppPackage, { seed = 1 }: { readonly seed?: number } = {}): Promise<AppKit> {
  const { stage, world } = await virtualStage({ seed });
  try {
    const home = await stage.home('home');
    const install = await installPackage(stage, home, pack);
    const kit: AppKit = {
      stage,
      world,
      home,
      install,
      cloudHalf: () => stage.api('install.status', { install }),
      applet: () => home.gateway.applets?.status().items.find((one) => one.install === install),
      until: (condition, what, limit = 20_000) => stage.ground.until(condition, limit, what),
      [Symbol.asyncDispose]: () => stage[Symbol.asyncDispose](),
    };
    const { cloud, applet } = pack.bundles;
    if (applet !== undefined) await kit.until(() => kit.applet()?.state === 'running', 'the applet to run', 30_000);
    if (cloud !== undefined)
      await kit.until(async () => (await kit.cloudHalf()).state === 'running', 'the cloud half to run', 30_000);
    return kit;
  } catch (error) {
    await stage[Symbol.asyncDispose]();
    throw error;
  }
}
