/** A whole cloud with two homes and a line in each, for tests of messages: phones straight at its softswitch, and the open API. */
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import type { Phone, PhoneOptions } from '#simulator/phone.ts';
import { TestCloud } from '../api/fixture.ts';

type Line = VerbReply<'line.create'>;

export class MessagingRig {
  readonly cloud: TestCloud;
  readonly home: string;
  readonly other: string;
  readonly ada: Line;
  readonly bob: Line;

  private constructor(cloud: TestCloud, home: string, other: string, ada: Line, bob: Line) {
    this.cloud = cloud;
    this.home = home;
    this.other = other;
    this.ada = ada;
    this.bob = bob;
  }

  static async start(): Promise<MessagingRig> {
    const cloud = await TestCloud.start();
    const home = (await cloud.call('home.create', { name: 'elm' })).id;
    const other = (await cloud.call('home.create', { name: 'oak' })).id;
    const ada = await cloud.call('line.create', { home, name: 'Ada' });
    const bob = await cloud.call('line.create', { home: other, name: 'Bob' });
    return new MessagingRig(cloud, home, other, ada, bob);
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return this.cloud.world.settle(promise);
  }

  /** A phone of a line; with an instance it stays the same when it comes back. */
  phone(line: Line, instance?: string, more: Partial<PhoneOptions> = {}): Promise<Phone> {
    return this.cloud.phone(line, { ...(instance === undefined ? {} : { instance: `urn:uuid:${instance}` }), ...more });
  }

  async list(home: string) {
    return (await this.cloud.call('message.list', { home })).items;
  }

  /** Events of the platform's log about messages, as what and why, for one home. */
  async events(home: string): Promise<[string, string | undefined][]> {
    const rows = await this.cloud.store.all<{ type: string; data: string }>(
      "SELECT type, data FROM event WHERE home = ? AND type LIKE 'home.message.%' ORDER BY position",
      [home],
    );
    return rows.map(({ type, data }) => [
      type.split('.').at(-1) ?? '',
      (JSON.parse(data) as { reason?: string }).reason,
    ]);
  }
}

export const texts = (phone: Phone) => phone.messages.shown.map(({ text }) => text);
