/** The e-center: developers publish here, subscribers install from here, gateways fetch from here, applications use services here. */
import type { Part } from '#cloud/bus/part.ts';
import { localSandbox } from '#shared/applet/local.ts';
import type { Sandbox } from '#shared/applet/sandbox.ts';
import type { Service } from '#shared/applet/service.ts';
import { toBase64 } from '#shared/kernel/base64.ts';
import { appletHandlers } from './applets.ts';
import { installHandlers } from './installs.ts';
import { signingKey, ticketKey } from './keys.ts';
import { giveMailAddresses } from './mail-address.ts';
import { packageHandlers } from './packages.ts';
import type { ECenter } from './parts.ts';
import { serviceHandlers } from './services.ts';

export interface ECenterOptions {
  /** Where bundles are tried out; default: in this thread, counted in fuel. */
  readonly sandbox?: () => Sandbox;
  readonly services: readonly Service[];
}

export function createECenter({ sandbox = localSandbox, services }: ECenterOptions): Part {
  return {
    name: 'e-center',
    async start(context) {
      const signing = await signingKey(context.store, context.world);
      const self: ECenter = {
        ...context,
        signing,
        operatorKey: toBase64(signing.publicKey),
        ticketKey: await ticketKey(context.store, context.world),
        services: new Map(services.map((service) => [service.id, service])),
        sandbox,
      };
      const leave = context.bus.serve('e-center', {
        ...packageHandlers(self),
        ...installHandlers(self),
        ...appletHandlers(self),
        ...serviceHandlers(self),
      });
      void giveMailAddresses(self).catch((error) =>
        self.world.log.error('e-center.mail-address', { error: String(error) }),
      );
      return {
        health: () => ({ state: 'running', load: 0, legs: 0 }),
        async stop() {
          leave();
        },
      };
    },
  };
}
