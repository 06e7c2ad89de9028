import { app } from '#sdk/app.ts';

app.on('start', async () => {
  await app.storage.set('starts', ((await app.storage.get<number>('starts')) ?? 0) + 1);
  await app.timer.set('tick', { at: Date.now() + 3000, data: { tea: true } });
});

app.on('message', async ({ from, body }) => {
  app.log.info('heard', from, body);
  const { say } = body as { say?: string };
  if (say === 'loop') for (;;);
  if (say === 'homes') await app.api('home.list', {}).catch((error: unknown) => app.log.info('refused', error));
  if (say === 'who') app.log.info('found', await app.service('address-book', 'find', { name: 'ada' }));
  if (say === 'weather')
    await app
      .service('weather', 'places')
      .catch((error: unknown) => app.log.info('no weather', error, (error as { code?: string }).code));
  if (say === 'media') app.log.info('media', (await app.api('media.list', {})).items.length);
  await app.send({ echo: body });
});

app.on('timer', ({ name, data }) => app.log.info('rang', name, data));
app.on('home.session.v1.*', ({ type }) => app.log.info('event', type));
app.on('home.mail.v1.received', ({ subject, data }) => {
  if (subject === app.install) app.log.info('mail', (data as { subject: string }).subject);
});
