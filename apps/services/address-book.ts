/** A home's address book: names and how to reach them. */
import Type from 'typebox';
import type { Service, ServiceContext } from '#shared/applet/service.ts';
import { newId } from '#shared/kernel/ids.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import { Id, Name, Party, request } from '#shared/protocol/schema.ts';

interface Contact {
  readonly id: string;
  readonly name: string;
  readonly party: string;
  readonly groups: readonly string[];
}

const Put = request({
  id: Type.Optional(Id),
  name: Name,
  party: Party,
  groups: Type.Optional(Type.Array(Name, { maxItems: 8 })),
});

/** What names are ordered and found by. */
const fold = (name: string) => name.normalize('NFKD').toLowerCase();

async function contacts({ entries }: ServiceContext): Promise<Contact[]> {
  return (await entries.list()).map(({ value }) => value as Contact);
}

export const addressBook: Service = {
  id: 'address-book',
  name: 'Address book',
  about: 'Names, numbers and groups of a home; applications look people up without keeping their own list.',
  price: 0,
  methods: {
    put: {
      about: 'Adds a contact, or changes the one with this id.',
      input: Put,
      async run({ id, name, party, groups = [] }: Type.Static<typeof Put>, { entries, world }: ServiceContext) {
        const contact: Contact = {
          id: id ?? newId('con', world.clock.wall(), world.random.bytes(10)),
          name,
          party,
          groups,
        };
        const put = await entries.put({ id: contact.id, sort: fold(name), value: contact });
        return put.ok ? ok(contact) : put;
      },
    },
    find: {
      about: 'Contacts whose name begins with the text, or who are in the group; all of them where neither is given.',
      input: request({ name: Type.Optional(Name), group: Type.Optional(Name) }),
      async run({ name, group }: { name?: string; group?: string }, context: ServiceContext) {
        const all = await contacts(context);
        const wanted = name === undefined ? undefined : fold(name);
        const fits = (contact: Contact) =>
          (wanted === undefined ||
            fold(contact.name)
              .split(/\s+/)
              .some((part) => part.startsWith(wanted)) ||
            fold(contact.name).startsWith(wanted)) &&
          (group === undefined || contact.groups.includes(group));
        return ok({ items: all.filter(fits).slice(0, 100) });
      },
    },
    who: {
      about: 'The contact that a number or address belongs to.',
      input: request({ party: Party }),
      async run({ party }: { party: string }, context: ServiceContext) {
        const found = (await contacts(context)).find((contact) => contact.party === party);
        return found === undefined
          ? err(fault('not_found', 'Nobody in the address book has this address.'))
          : ok(found);
      },
    },
    remove: {
      about: 'Removes a contact.',
      input: request({ id: Id }),
      async run({ id }: { id: string }, { entries }: ServiceContext) {
        await entries.remove(id);
        return ok({});
      },
    },
  },
};
