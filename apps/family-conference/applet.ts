/**
 * Family conference, the user applet: “one tap” on any phone of the house. Whoever dials the family’s code in a house whose applet runs
 * is not connected to anybody; the applet tells the cloud half, which calls the whole family.
 */
import { app } from '#sdk/app.ts';

/** The code that a phone’s button is set to. */
const TAP = '*88';

app.on('call', async (event) => {
  if (event.on === 'ringing' && event.to === TAP) await app.send({ tap: event.from });
});
