/** What a network service application is: a reusable enabler that network applications compose without its keys. */
import type { TSchema } from 'typebox';
import type { Result } from '#shared/kernel/result.ts';
import type { World } from '#shared/kernel/world.ts';
import type { Fault } from '#shared/protocol/fault.ts';

/** Something that a service keeps for a home. */
export interface ServiceEntry {
  readonly id: string;
  /** What lists are ordered by. */
  readonly sort: string;
  readonly value: unknown;
}

/** What a service may use while it serves one home. */
export interface ServiceContext {
  readonly home: string;
  readonly world: Pick<World, 'clock' | 'random' | 'crypto' | 'disk' | 'log'>;
  /** Folder of the operator's own data for services. */
  readonly folder: string;
  /**
   * This home's entries of this service; at most `ENTRIES_LIMIT`. What is put or removed is written with the answer, in one commit, and
   * not before: a list does not show it yet.
   */
  readonly entries: {
    list(from?: string, to?: string): Promise<readonly ServiceEntry[]>;
    get(id: string): Promise<ServiceEntry | undefined>;
    put(entry: ServiceEntry): Promise<Result<void, Fault>>;
    remove(id: string): Promise<void>;
  };
}

export interface ServiceMethod {
  readonly about: string;
  readonly input: TSchema;
  /** `input` is of the schema. */
  run(input: never, context: ServiceContext): Promise<Result<unknown, Fault>>;
}

export interface Service {
  readonly id: string;
  readonly name: string;
  readonly about: string;
  /** Micro-units per use by an application. */
  readonly price: number;
  readonly methods: Readonly<Record<string, ServiceMethod>>;
}

/** Entries that a service keeps for one home, and characters of each as JSON. */
export const ENTRIES_LIMIT = 500;
export const ENTRY_SIZE = 4096;
