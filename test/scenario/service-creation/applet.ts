import { app } from '#sdk/app.ts';

app.on('start', async () => {
  await app.storage.set('started', true);
  await app.timer.set('hello', { at: Date.now() + 1000 });
});

app.on('timer', ({ name }) => app.send({ say: name }));

app.on('call', async (call) => {
  app.log.info('call', call.on);
  if (call.on === 'digit' && call.digit === '9')
    app.log.info(
      'opened',
      (await app.lan.http({ device: 'front-door', method: 'POST', path: '/open', port: 8000 })).status,
    );
});

app.on('message', async ({ body }) => {
  app.log.info('told', body);
  const { echo } = body as { echo?: { say?: string } };
  if (echo?.say === 'steal')
    await app.lan
      .http({ device: 'Safe', method: 'POST', path: '/open' })
      .catch((error: unknown) => app.log.info('denied', error));
});
