/** Text to speech by our own synthesiser: English, one voice, plainly a machine’s. What it makes is a media item like any other. */
import Type from 'typebox';
import type { Service, ServiceContext } from '#shared/applet/service.ts';
import { utf8 } from '#shared/kernel/bytes.ts';
import { base32 } from '#shared/kernel/ids.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import { request } from '#shared/protocol/schema.ts';
import { SAMPLE_RATE } from '#shared/rtp/packet.ts';
import { writeWav } from '#shared/rtp/wav.ts';
import { speak } from './speech/synthesis.ts';
import { textSounds } from './speech/words.ts';

/** Characters of one text. */
export const TEXT_LIMIT = 500;

const Say = request({ text: Type.String({ minLength: 1, maxLength: TEXT_LIMIT }) });

export const textToSpeech: Service = {
  id: 'text-to-speech',
  name: 'Text to speech',
  about: 'Says an English text; gives a media item that media.play and call.play take. A machine’s voice, made here.',
  price: 2000,
  methods: {
    say: {
      about: 'Makes the sound of a text; the same text gives the same item.',
      input: Say,
      async run({ text }: Type.Static<typeof Say>, { home, world, folder }: ServiceContext) {
        const sounds = textSounds(text);
        if (sounds.length === 0)
          return err(
            fault('bad_request', 'The text has nothing that could be said in English.', { pointer: '/input/text' }),
          );
        const item = `say_${base32(world.crypto.hash('sha256', utf8(`${home} ${text}`))).slice(0, 26)}`;
        const samples = speak(sounds);
        await world.disk.write(`${folder}/speech/${item}.wav`, writeWav(samples, 'PCMU'));
        return ok({ item, seconds: Math.round((10 * samples.length) / SAMPLE_RATE) / 10 });
      },
    },
  },
};
