/** The network service applications that ship. */
import type { Service } from '#shared/applet/service.ts';
import { addressBook } from './address-book.ts';
import { calendar } from './calendar.ts';
import { textToSpeech } from './text-to-speech.ts';
import { weather } from './weather.ts';

export const shippedServices: readonly Service[] = [addressBook, calendar, textToSpeech, weather];
