/**
 * The gateways' edge: MQTT over mutual TLS. Gateways and applicants connect here; requests and events go from here to the
 * bus, commands and documents from the bus to the gateway that is meant.
 */
import type { Handlers } from '#cloud/bus/bus.ts';
import type { Part, PartContext, RunningPart } from '#cloud/bus/part.ts';
import { onRenewed } from '#cloud/bus/server-certificate.ts';
import { gatewayByCertificate } from '#cloud/store/directory.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { NetError, type Stream } from '#shared/kernel/world.ts';
import { fault } from '#shared/protocol/fault.ts';
import { claimOf, clientIdOf, type Identity } from './acl.ts';
import { type Broker, type Connection, createBroker } from './adapter-aedes.ts';
import { Admission, CONNECTIONS_LIMIT } from './admission.ts';
import { Commands } from './commands.ts';
import { Exchange } from './exchange.ts';
import { Presence } from './presence.ts';

/** Milliseconds that a command waits for its answer unless its sender says otherwise. */
const COMMAND_TIMEOUT = 10_000;
/** Milliseconds that an applicant may take to answer. */
const CLAIMED_TIMEOUT = 5000;

export const gatewayEdge: Part = {
  name: 'gateway-edge',
  async start(context: PartContext): Promise<RunningPart> {
    const edge = new Edge(context);
    await edge.start();
    return edge;
  },
};

class Edge implements RunningPart {
  readonly #context: PartContext;
  readonly #admission = new Admission();
  readonly #presence: Presence;
  readonly #commands: Commands;
  readonly #exchange: Exchange;
  /** By client identifier: the connection that was accepted last. */
  readonly #connections = new Map<string, Connection>();
  #close: () => Promise<void> = async () => {};

  constructor(context: PartContext) {
    this.#context = context;
    const { world, bus } = context;
    this.#presence = new Presence(bus, world.clock);
    this.#commands = new Commands(world.clock);
    this.#exchange = new Exchange({
      world,
      bus,
      commands: this.#commands,
      greeted: (connection, epoch) => this.#greeted(connection, epoch),
    });
  }

  async start(): Promise<void> {
    const { world, bus, config } = this.#context;
    const broker = await createBroker(world, {
      connected: (connection) => this.#connected(connection),
      message: (connection, channel, payload) => this.#exchange.take(connection, channel, payload),
      closed: (connection, why) => this.#closed(connection, why),
    });
    const tls = { ...config.server, clientCa: config.authority.certificate };
    const listener = await world.net
      .listen({ ...config.mqtt, tls }, (stream) => void this.#admit(broker, stream))
      .catch(async (error: unknown) => {
        await broker.close();
        const code = error instanceof NetError ? error.code : 'EFAILED';
        const where = `${config.mqtt.host}:${config.mqtt.port}`;
        throw new Error(`MQTT cannot listen on ${where} (${code}): choose another address with --mqtt`);
      });
    config.bound.mqtt = listener.local;
    const withdraw = bus.serve('gateway-edge', this.#handlers());
    const leave = onRenewed(this.#context, (own) => listener.renew(own));
    let closing: Promise<void> | undefined;
    this.#close = () => {
      closing ??= (async () => {
        withdraw();
        leave();
        await listener.close();
        await broker.close();
        this.#presence.stop();
        world.log.info('edge.stopped', Object.fromEntries(this.#exchange.drops));
      })();
      return closing;
    };
  }

  health() {
    const connections = this.#admission.open;
    return { state: 'running' as const, load: connections / CONNECTIONS_LIMIT, legs: 0 };
  }

  stop(): Promise<void> {
    return this.#close();
  }

  /** Decides who a new stream is; what cannot be known is closed. */
  async #admit(broker: Broker, stream: Stream): Promise<void> {
    const { world } = this.#context;
    const claim = claimOf(stream.peer);
    const source = stream.remote.host;
    const refuse = (why: string) => {
      world.log.info('edge.refused', { why, source });
      stream.destroy();
    };
    if (claim === undefined) return refuse('no certificate of ours, and none of its own');
    const full = this.#admission.enter(claim.kind, source, world.clock.mono());
    if (full !== undefined) return refuse(full);
    const identity = claim.kind === 'applicant' ? claim : await this.#known(claim.gateway, claim.serial);
    if (identity !== undefined) return broker.accept(stream, identity);
    this.#admission.leave(claim.kind, source, world.clock.mono());
    refuse('a certificate that is no longer, or not yet, good');
  }

  /** The gateway of this certificate as the directory knows it. What cannot be looked up is not known: fail closed. */
  async #known(gateway: string, serial: string): Promise<Identity | undefined> {
    try {
      const row = await gatewayByCertificate(this.#context.store, gateway, serial);
      return row === undefined ? undefined : { kind: 'gateway', gateway, serial, home: row.home };
    } catch (error) {
      this.#context.world.log.error('edge.directory-failed', { gateway, error: String(error) });
      return undefined;
    }
  }

  #connected(connection: Connection): void {
    const id = clientIdOf(connection.identity);
    this.#connections.get(id)?.close('another connection took over');
    this.#connections.set(id, connection);
    this.#exchange.begin(connection);
  }

  #closed(connection: Connection, why: string): void {
    const { identity } = connection;
    const id = clientIdOf(identity);
    this.#admission.leave(identity.kind, connection.address, this.#context.world.clock.mono());
    this.#context.world.log.info('edge.closed', { client: id, why });
    if (this.#connections.get(id) === connection) this.#connections.delete(id);
    this.#exchange.end(connection);
    this.#commands.lost(connection);
    if (identity.kind === 'gateway') this.#presence.end(identity.gateway, connection, why);
  }

  #greeted(connection: Connection, epoch: number): void {
    const { identity } = connection;
    if (identity.kind !== 'gateway') return;
    const { gateway, home, serial } = identity;
    this.#presence.begin({ connection, gateway, home, epoch }, serial);
  }

  #handlers(): Handlers<'gateway-edge'> {
    return {
      'gateway.command': async ({ gateway, verb, body, timeout = COMMAND_TIMEOUT }) => {
        const refusal = Exchange.tooLarge(body) ? fault('too_large') : Commands.refusal(verb, body);
        if (refusal !== undefined) return err(refusal);
        const lease = this.#presence.lease(gateway);
        if (lease === undefined) return err(fault('gateway_offline'));
        return Commands.checked(verb, await this.#command(lease.connection, verb, body, timeout));
      },
      'gateway.desire': async ({ gateway, doc, version, body }) => {
        if (Exchange.tooLarge(body)) return err(fault('too_large'));
        const lease = this.#presence.lease(gateway);
        if (lease === undefined) return ok({ sent: false });
        this.#exchange.send(lease.connection, 'desired', { type: 'desired', body: { doc, version, body } });
        return ok({ sent: true });
      },
      'gateway.disconnect': async ({ gateway, reason }) => {
        this.#connections.get(gateway)?.close(reason);
        return ok({});
      },
      'presence.list': async ({ gateways }) => {
        const wanted = gateways === undefined ? undefined : new Set(gateways);
        const items = this.#presence.list().filter(({ gateway }) => wanted?.has(gateway) ?? true);
        return ok({
          items: items.map(({ gateway, epoch, connection }) => ({ gateway, epoch, address: connection.address })),
        });
      },
      'pairing.claimed': async ({ keyHash, claimed, cause }) => {
        const connection = this.#connections.get(keyHash);
        if (connection?.identity.kind !== 'applicant') return err(fault('gateway_offline'));
        const body = { keyHash, claimed, ...(cause === undefined ? {} : { cause }) };
        const outcome = await this.#command(connection, 'pairing.claimed', body, CLAIMED_TIMEOUT);
        return outcome.ok ? ok({}) : outcome;
      },
    };
  }

  #command(connection: Connection, type: string, body: unknown, timeout: number) {
    const exp = this.#context.world.clock.wall() + timeout;
    const send = () => this.#exchange.send(connection, 'cmd', { type, exp, body });
    return this.#commands.wait(connection, send, timeout);
  }
}
