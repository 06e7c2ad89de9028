import type { Phone } from '../phone.ts';
import type { Scenario } from '../scenario.ts';
import { allOf, flowsUp, pairHomes, pairsOf, reconnected, registerPhones } from './steps.ts';

/** Messages to each phone that is off, by its neighbour's phone and by the API. */
const BY_PHONE = 3;
const BY_API = 3;

export const messageOffline: Scenario = {
  name: 'message-offline',
  about:
    'Messages to phones that are off wait, also through a fall of the cloud, and arrive once each when the phones are back',
  worlds: ['virtual', 'real'],
  homes: { usual: 2, least: 2 },
  steps: (run) => {
    const off: { readonly phone: Phone; readonly texts: string[] }[] = [];
    const sent: string[] = [];
    return [
      pairHomes(run),
      registerPhones(run),
      {
        name: 'the phone of each second home is switched off, and is sent messages',
        run: async () => {
          await flowsUp(run);
          await run.each(pairsOf(run.homes), 8, async ([from, to]) => {
            const phone = run.phone(to);
            const gone = await run.stage.ground.settle(phone.register(0));
            run.expect(gone === 200, `${to.name} to be able to leave, not status ${gone}`);
            await run.pass(1_000);
            const texts: string[] = [];
            for (let i = 0; i < BY_PHONE + BY_API; i++) {
              const text = `message ${i} from ${from.name}`;
              texts.push(text);
              if (i >= BY_PHONE) {
                sent.push((await run.api('message.send', { from: run.number(from), to: run.number(to), text })).id);
                continue;
              }
              const status = await run.stage.ground.settle(run.phone(from).messages.send(run.number(to), text));
              run.expect(status === 200 || status === 202, `the message of a phone to be taken, not status ${status}`);
            }
            off.push({ phone, texts });
          });
          await run.pass(2_000);
          run.expect(
            off.every(({ phone }) => phone.messages.heard === 0),
            'a phone that is off to hear nothing',
          );
        },
      },
      {
        name: 'the cloud falls and is back',
        run: async () => {
          await run.stage.killCloud();
          await run.pass(2_000);
          await run.stage.startCloud();
          await reconnected(run, run.now, 75_000);
          await flowsUp(run);
        },
      },
      {
        name: 'the phones are switched on, and show each message once',
        run: async () => {
          await run.each(off, 8, async ({ phone, texts }) => {
            const since = run.now;
            const status = await run.stage.ground.settle(phone.register());
            run.expect(status === 200, `the phone to register again, not status ${status}`);
            const shown = () =>
              phone.messages.shown
                .map(({ text }) => text)
                .sort()
                .join();
            await run.until(
              () => phone.messages.shown.length >= texts.length,
              60_000,
              `${texts.length} messages to arrive`,
            );
            run.measure('delivery', run.now - since);
            await run.pass(10_000);
            run.expect(shown() === [...texts].sort().join(), `exactly what was sent, not: ${shown()}`);
          });
        },
      },
      {
        name: 'the senders are told that all were delivered',
        run: () =>
          run.until(
            async () => {
              const messages = await allOf((cursor) => run.api('message.list', cursor));
              const whole = messages.length === off.length * (BY_PHONE + BY_API);
              return (
                whole &&
                messages.every(({ state }) => state === 'delivered') &&
                sent.every((id) => messages.some((one) => one.id === id))
              );
            },
            20_000,
            'each message to be there once, and delivered',
          ),
      },
    ];
  },
};
