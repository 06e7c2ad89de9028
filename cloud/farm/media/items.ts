/** The library as its listeners see it. */
import { mediaShortCode } from '#shared/call/numbers.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { library } from './library/synthesis.ts';

type MediaItem = VerbReply<'media.list'>['items'][number];

/** Every item with the short code that plays it: 700 is the first. Items past the last code have none to dial. */
export function items(): MediaItem[] {
  return library.map(({ id, title, seconds }, index) => ({ id, title, seconds, short: mediaShortCode(index) ?? '' }));
}

export function isItem(id: string): boolean {
  return library.some((piece) => piece.id === id);
}

/** The WAV file of an item of the library. */
export function itemFile(id: string): string {
  return `${import.meta.dirname}/library/${id}.wav`;
}
