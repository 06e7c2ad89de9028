/** Where a call may be sent on: what a phone means by what it dials for its caller, and the first party that has not rung yet. */
import { meaning } from '#shared/call/features/dialling.ts';
import type { LineFeatures } from '#shared/call/features/document.ts';
import type { PartyFacts } from './choice.ts';
import type { Resolver } from './resolve.ts';

export interface Ways {
  /** What a phone of the line means by what it dials for the caller: no code, nor anything else but a number. */
  sentTo(line: string, own: LineFeatures, to: string): Promise<string[]>;
  /** The next line, or number outside, that has not rung in this call; `isOpen`: whether a line lets the caller through. */
  next(
    names: readonly string[],
    rang: readonly string[],
    isOpen?: (line: string) => boolean,
  ): Promise<PartyFacts | undefined>;
}

export function waysOf(resolver: Pick<Resolver, 'party'>): Ways {
  return {
    async sentTo(line, own, to) {
      const { line: row } = await resolver.party(line);
      const meant = row === undefined ? undefined : meaning(own, to, false, row.number);
      return meant?.do === 'call' ? [meant.to] : [];
    },

    async next(names, rang, isOpen = () => true) {
      for (const name of names) {
        const party = await resolver.party(name);
        const id = party.outside ?? party.line?.id;
        if (id === undefined || rang.includes(id) || (party.line !== undefined && !isOpen(party.line.id))) continue;
        return party;
      }
      return undefined;
    },
  };
}
