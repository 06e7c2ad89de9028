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

/** The file of anything that can be played: an item of the library, or one that the text-to-speech service made under `data`. */
export function playable(item: string, data: string): string | undefined {
  if (isItem(item)) return itemFile(item);
  return /^say_[0-9a-z]{26}$/.test(item) ? `${data}/services/speech/${item}.wav` : undefined;
}

/** The WAV file of an item of the library. */
export function itemFile(id: string): string {
  return `${import.meta.dirname}/library/${id}.wav`;
}
