/**
 * What aedes asks of a store and of a message emitter, answered with nothing: sessions are clean, nothing is retained, there
 * are no wills, and no message is routed by the broker. aedes speaks the protocol; the edge alone decides what goes where.
 */
import { Readable } from 'node:stream';

type Done = (error?: Error | null) => void;

export const emptyPersistence = {
  async setup() {},
  async storeRetained() {},
  createRetainedStreamCombi: () => Readable.from([]),
  async addSubscriptions() {},
  async removeSubscriptions() {},
  async cleanSubscriptions() {},
  async subscriptionsByClient() {
    return [];
  },
  async subscriptionsByTopic() {
    return [];
  },
  async outgoingEnqueueCombi() {},
  async outgoingUpdate() {},
  async outgoingClearMessageId() {},
  outgoingStream: () => Readable.from([]),
  async cleanIncoming() {},
  async putWill() {},
  async delWill() {},
  streamWill: () => Readable.from([]),
};

export const emptyEmitter = {
  on: (_topic: string, _listener: unknown, done?: Done) => later(done),
  removeListener: (_topic: string, _listener: unknown, done?: Done) => later(done),
  emit: (_packet: unknown, done?: Done) => later(done),
  close: (done?: Done) => later(done),
};

function later(done: Done | undefined): void {
  if (done !== undefined) queueMicrotask(() => done());
}
