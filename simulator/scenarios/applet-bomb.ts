import type { AppPackage, Manifest } from '#shared/protocol/applet-manifest.ts';
import { makePackage, withHashes } from '#shared/protocol/applet-package.ts';
import { rightsOf } from '#shared/protocol/applet-rights.ts';
import { lastCall, type Run, type Scenario } from '../scenario.ts';
import { expectHears, flowsUp, pairHomes, recordsAre, registerPhones, toneOf } from './steps.ts';

/** What each applet does whenever a phone of the house rings. Those that will not end are put away; the others are only refused what they want. */
const APPLETS: Readonly<Record<string, string>> = {
  'bomb-loop': 'for (;;);',
  'bomb-memory': 'const all = []; for (;;) all.push(new Uint8Array(1_000_000).fill(1));',
  'bomb-promises': 'const again = () => Promise.resolve().then(again); again();',
  'bomb-flood': `for (;;) hearthline.send(JSON.stringify({ fill: 'x'.repeat(1000) }));`,
  quiet: '',
};
const PUT_AWAY = ['bomb-loop', 'bomb-promises'];
/** Calls in the house: as many as it takes to be put away, and one more. */
const CALLS = 4;

const bundleOf = (deed: string) => `hearthline.take = (text) => { if (text.includes('ringing')) { ${deed} } };`;

/** A package as a developer would sign it. */
async function packed(run: Run, id: string, deed: string): Promise<AppPackage> {
  const { crypto } = run.stage.ground.host('developer').world;
  const manifest: Omit<Manifest, 'cloud' | 'applet'> = {
    format: 1,
    id,
    version: '1.0.0',
    name: id,
    about: 'An applet of the simulator.',
    api: 1,
    matches: '^1.0.0',
    scopes: [],
    events: [],
    services: [],
    permissions: { 'call.events': {} },
  };
  const bundles = { applet: bundleOf(deed) };
  return makePackage(withHashes(manifest, bundles, crypto), bundles, await crypto.createKey('Ed25519'), crypto);
}

export const appletBomb: Scenario = {
  name: 'applet-bomb',
  about:
    'Applets that loop, eat memory and flood are installed in a home: its calls do not notice, each bomb is put away, a good applet lives on',
  worlds: ['virtual', 'real'],
  homes: { usual: 1, least: 1 },
  steps: (run) => {
    const stateOf = (id: string) =>
      run.homes.map((home) => home.gateway.applets?.status().items.find((one) => one.application === id)?.state);
    let calls = 0;
    return [
      pairHomes(run),
      registerPhones(run, 2),
      {
        name: 'the applications are published, installed and running',
        run: async () => {
          await flowsUp(run);
          for (const [id, deed] of Object.entries(APPLETS)) {
            const pack = await packed(run, id, deed);
            await run.api('app.publish', { package: pack });
            const consent = rightsOf(pack.manifest).map(({ key }) => key);
            for (const home of run.homes)
              await run.api('install.create', { home: home.id, app: id, version: '1.0.0', consent });
          }
          const running = () => Object.keys(APPLETS).every((id) => stateOf(id).every((state) => state === 'running'));
          await run.until(running, 60_000, 'every applet to run');
        },
      },
      {
        name: `${CALLS} calls in each house set off the bombs, and are not disturbed`,
        run: async () => {
          for (let n = 0; n < CALLS; n++) {
            for (const [index, home] of run.homes.entries()) {
              const call = await run.timed('call-setup', async () => {
                const dialled = await run.stage.ground.settle(run.phone(home, 1).dial(run.number(home)));
                await run.until(() => dialled.state === 'up', 10_000, `a call in ${home.name} to be answered`);
                return dialled;
              });
              calls++;
              await run.pass(2_500);
              expectHears(run, home.name, lastCall(run.phone(home)).heard(), toneOf(index + 1), toneOf(index));
              call.hangup();
            }
            // Time for what has ended to be started again.
            await run.pass(5_000);
          }
        },
      },
      {
        name: 'the applets that would not end are put away; the others live on',
        run: async () => {
          const away = (id: string) => stateOf(id).every((state) => state === 'quarantined' || state === 'throttled');
          await run.until(() => PUT_AWAY.every(away), 60_000, 'every applet that would not end to be put away');
          for (const id of Object.keys(APPLETS)) {
            const alive = stateOf(id).every((state) => state === 'running');
            run.expect(PUT_AWAY.includes(id) || alive, `${id} to live on, not to be ${stateOf(id).join()}`);
          }
        },
      },
      recordsAre(run, () => calls, 2),
    ];
  },
};
