/** The applications that ship, each by its own test on a virtual world: packed, published at the e-center, installed, used. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as doorbell from '#apps/doorbell/app.test.ts';
import * as familyConference from '#apps/family-conference/app.test.ts';
import * as wakeUpRadio from '#apps/wake-up-radio/app.test.ts';
import { packProject } from '#cli/app-project.ts';
import { STRANDED_FOR } from '#device/sip-edge/stranded.ts';
import { hostCrypto } from '#shared/host/crypto.ts';
import { appKit } from '#simulator/app-kit.ts';

const applications = { doorbell, 'family-conference': familyConference, 'wake-up-radio': wakeUpRadio };

describe.each(Object.entries(applications))('%s', (folder, { test }) => {
  it('does what it promises', async () => {
    const key = await hostCrypto().createKey('Ed25519');
    const made = await packProject(join(import.meta.dirname, '../../apps', folder), key);
    if (!made.ok) throw new Error(made.fault);
    await using kit = await appKit(made.value, { seed: 11 });
    try {
      await test(kit);
    } catch (error) {
      const { logs } = await kit.cloudHalf();
      const own = kit.applet()?.logs ?? [];
      throw new Error(`${error}\n${[...logs, ...own].map(({ text }) => text).join('\n')}`);
    }
    expect((await kit.cloudHalf()).logs.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describe('a service code with the WAN cut', () => {
  it('is refused at once where no applet could help, and after two seconds where none does', async () => {
    const key = await hostCrypto().createKey('Ed25519');
    const made = await packProject(join(import.meta.dirname, '../../apps/doorbell'), key);
    if (!made.ok) throw new Error(made.fault);
    await using kit = await appKit(made.value, { seed: 12 });
    const { stage, home, world } = kit;
    const oak = await stage.home('oak');
    const [helped, alone] = [await home.phone(), await oak.phone()];
    world.partition(['cloud']);
    const down = (at: typeof home) => at.gateway.status().voice.flow === 'down';
    await kit.until(() => down(home) && down(oak), 'the way to the cloud to be gone', 120_000);
    const refused = async (phone: typeof helped, code: string) => {
      const begun = world.now;
      const call = await world.settle(phone.dial(code));
      await kit.until(() => call.state === 'ended', 'the refusal');
      return { status: call.status, waited: world.now - begun >= STRANDED_FOR };
    };
    // No applet names phones for this code; nobody answers for a number but the cloud.
    expect(await refused(helped, '*99')).toEqual({ status: 503, waited: true });
    expect(await refused(helped, '+15550109999')).toEqual({ status: 503, waited: false });
    expect(await refused(alone, '*99')).toEqual({ status: 503, waited: false });
    world.heal();
  });
});
