/** Registers, calls and says a tone for three seconds: `bin/node examples/call.ts sip:me@example.org SECRET sip:you@example.org [sip:REGISTRAR:5060]` */
import { Endpoint, hostWorld, sine } from '#shared/face/face.ts';

const [id = '', password, to = '', registrar] = process.argv.slice(2);
const endpoint = new Endpoint(hostWorld());
await endpoint.createTransport({ protocol: 'udp' });
const account = endpoint.createAccount({ id, password, registrar });
const registered = await account.register();
const call = registered.ok ? await account.makeCall(to, { play: sine(440, -17, 8000) }) : registered;
const up = call.ok ? await call.value.answered() : call;
if (up.ok) {
  setTimeout(() => up.value.hangup(), 3_000);
  await up.value.ended();
  console.log(`heard ${up.value.heard().length / 8000} s`);
} else console.error(`${up.fault.text} ${up.fault.next}`);
await endpoint.destroy();
process.exitCode = up.ok ? 0 : 2;
