/** A whole cloud with its portal on real sockets, gateways and phones for it, and a browser that looks at it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { build } from 'vite';
import { methodsOf } from '#cloud/application-server/open-api/routes.ts';
import { threadEngine } from '#cloud/farm/media/server.ts';
import { type Cloud, startCloud } from '#cloud/main.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { type Gateway, startGateway } from '#device/gateway.ts';
import { localSandbox } from '#shared/applet/local.ts';
import { hostWorld } from '#shared/host/world.ts';
import type { Address } from '#shared/kernel/world.ts';
import { localEngine } from '#shared/media-engine/local.ts';
import type { VerbName, VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { Phone } from '#simulator/phone.ts';

export const CHROMIUM = '/usr/bin/chromium';
const local: Address = { host: '127.0.0.1', port: 0 };

/** Builds the portal into a folder of its own. */
export async function buildPortal(folder: string): Promise<void> {
  const root = join(import.meta.dirname, '../../cloud/application-server/portal/web');
  await build({ configFile: join(root, 'vite.config.ts'), logLevel: 'error', build: { outDir: folder } });
}

export class Rig {
  readonly folder = mkdtempSync(join(tmpdir(), 'hearthline-e2e-'));
  readonly world = hostWorld({ level: 'error' });
  cloud!: Cloud;
  browser!: Browser;
  /** What pages complained about: errors in scripts, refusals of the content security policy, requests to elsewhere. */
  readonly complaints: string[] = [];
  readonly #gateways: Gateway[] = [];
  readonly #phones: Phone[] = [];

  static async start(): Promise<Rig> {
    const rig = new Rig();
    const portal = join(rig.folder, 'portal');
    await buildPortal(portal);
    rig.cloud = await startCloud(
      rig.world,
      {
        ...{ data: join(rig.folder, 'cloud'), http: local, mqtt: local, sip: local, sips: local, portal },
        media: { host: '127.0.0.1', low: 42_000, high: 42_199 },
      },
      { store: openLocalStore(':memory:'), engineFor: threadEngine },
    );
    rig.browser = await chromium.launch({ executablePath: CHROMIUM, args: [...flags] });
    return rig;
  }

  async stop(): Promise<void> {
    await this.browser.close();
    for (const phone of this.#phones) await phone.close();
    for (const gateway of this.#gateways) await gateway.stop();
    await this.cloud.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  get base(): string {
    return this.cloud.config.bound.http ?? '';
  }

  /** Asks a verb as the operator, past the browser. */
  async ask<V extends VerbName>(verb: V, request: VerbRequest<V>): Promise<VerbReply<V>> {
    const principal = { kind: 'account', account: 'operator', role: 'operator', homes: 'all', scopes: 'all' } as const;
    const outcome = await this.cloud.bus.request(verb, request, { principal });
    if (!outcome.ok) throw new Error(`${verb}: ${outcome.fault.code} ${outcome.fault.detail ?? ''}`);
    return outcome.value;
  }

  /** A phone of a line, registered straight at the softswitch; it answers after 0.2 s. */
  async phone(line: VerbReply<'line.create'>, server = this.cloud.config.bound.sipUdp ?? local): Promise<Phone> {
    const phone = await Phone.open({
      world: this.world,
      host: '127.0.0.1',
      server,
      domain: line.sip.domain,
      username: line.sip.username,
      password: line.sip.password ?? '',
      answerAfter: 200,
    });
    this.#phones.push(phone);
    const status = await phone.register();
    if (status !== 200) throw new Error(`the phone could not register: ${status}`);
    return phone;
  }

  /** A gateway that waits to be paired. */
  async gateway(): Promise<Gateway> {
    const low = 42_200 + 100 * this.#gateways.length;
    const engine = localEngine(this.world, { low, high: low + 99 });
    const state = join(this.folder, `gateway-${this.#gateways.length}`);
    const settings = {
      ...{ state, cloudUrl: this.base, profile: 'residential-gateway' as const, sip: local },
      sandbox: localSandbox(),
    } as const;
    const gateway = await startGateway(this.world, settings, engine);
    this.#gateways.push(gateway);
    return gateway;
  }

  /** A gateway of a home, paired and online. */
  async paired(home: string): Promise<Gateway> {
    const gateway = await this.gateway();
    await until(() => gateway.status().pairing.code !== undefined);
    await this.ask('gateway.claim', { home, code: gateway.status().pairing.code ?? '' });
    const online = async () => (await this.ask('gateway.list', { home })).items.some((one) => one.online);
    await until(online);
    return gateway;
  }

  /** A fresh browser profile, not signed in, at a path of the portal. */
  async page(path: string, size = { width: 1280, height: 900 }): Promise<Page> {
    const context = await this.browser.newContext({ viewport: size, locale: 'en-GB' });
    context.setDefaultTimeout(15_000);
    const page = await context.newPage();
    page.on('pageerror', (error) => this.complaints.push(`script: ${error.message}`));
    page.on('console', (message) => {
      if (message.text().includes('Content Security Policy')) this.complaints.push(message.text());
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(`${this.base}/`) && !/^(data|blob):/.test(request.url()))
        this.complaints.push(`request to ${request.url()}`);
      const { pathname } = new URL(request.url());
      if (pathname.startsWith('/v1') && !methodsOf(pathname).includes(request.method()))
        this.complaints.push(`${request.method()} ${pathname} is no verb's`);
    });
    await page.goto(this.base + path);
    return page;
  }

  /** Closes every page, so that none goes on asking. */
  async closePages(): Promise<void> {
    for (const context of this.browser.contexts()) await context.close();
  }

  /** A page that is signed in as the operator. */
  async operatorPage(path = '/', size?: { width: number; height: number }): Promise<Page> {
    const page = await this.page(`${path}#token=${this.cloud.operatorToken}`, size);
    await page.getByRole('navigation').waitFor();
    return page;
  }
}

/** Waits up to 15 s for something to become true. */
async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  for (let n = 0; n < 150; n++) {
    if (await check()) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error('it did not happen within 15 s');
}

export const flags = [
  ...['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
];
