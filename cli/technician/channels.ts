/** The ways from a shell to one gateway: the socket in its state folder, or the cloud's open API. */
import { connect } from 'node:net';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { NetError } from '#shared/kernel/world.ts';
import { type Fault, type FaultCode, fault, faults } from '#shared/protocol/fault.ts';

export interface Channel {
  ask(verb: string, body: object, timeout: number): Promise<Result<unknown, Fault>>;
}

/** Asks over the local socket; rejects with words for the person where nobody answers there. */
export async function localChannel(state: string): Promise<Channel> {
  const { controlSocket } = await import('#device/diagnostics/control-socket.ts');
  const path = controlSocket(state);
  return {
    ask(verb, body, timeout) {
      return new Promise((done, reject) => {
        let text = '';
        const socket = connect(path, () => socket.write(`${JSON.stringify({ verb: `${verb}.local`, body })}\n`));
        const timer = setTimeout(() => {
          socket.destroy();
          done(err(fault('timeout', 'The gateway did not answer in time.')));
        }, timeout);
        socket.setEncoding('utf8');
        socket.on('data', (data: string) => {
          text += data;
          if (text.endsWith('\n')) socket.end();
        });
        socket.on('error', (error) => {
          clearTimeout(timer);
          reject(new Error(absent(path, error)));
        });
        socket.on('close', () => {
          clearTimeout(timer);
          if (text.endsWith('\n')) done(answerOf(text));
          else done(err(fault('timeout', 'The gateway closed the connection.')));
        });
      });
    },
  };
}

function absent(path: string, error: Error): string {
  const code = (error as { code?: string }).code;
  if (code === 'EACCES') return `${path} belongs to another user: run this as the user of the gateway.`;
  return `No gateway answers at ${path} (${code ?? error.message}).\nNext: start it with \`hearthline device --state DIR …\`, and give the same folder with --state.`;
}

function answerOf(line: string): Result<unknown, Fault> {
  const answer = JSON.parse(line) as { value?: unknown; fault?: Fault };
  return answer.fault === undefined ? ok(answer.value) : err(answer.fault);
}

/** Asks through the cloud; rejects with words for the person where the cloud does not answer. */
export function cloudChannel(gateway: string | undefined, cloud: string, token: string): Channel {
  const [url = '', fragment] = cloud.split('#');
  const pin = /^sha256-([0-9a-f]{64})$/.exec(fragment ?? '')?.[1];
  return {
    async ask(verb, body, timeout) {
      // Loaded here: a question on the gateway itself needs neither.
      const [{ verbEntry }, { hostHttp }] = await Promise.all([
        import('#shared/protocol/verbs/index.ts'),
        import('#shared/host/http.ts'),
      ]);
      const path = verbEntry(verb)?.http?.path;
      const asksGateway = path?.includes('{gateway}') === true;
      if (path === undefined || (!asksGateway && !path.includes('{session}')))
        return err(fault('bad_request', 'This is asked on the gateway itself, with --state.'));
      if (asksGateway && gateway === undefined) throw new Error('say which gateway: --gateway ID');
      const fields: Record<string, unknown> = { ...(asksGateway ? { gateway } : {}), ...body };
      const filled = path.replace(/\{(\w+)\}/g, (_whole, name: string) => {
        const value = String(fields[name]);
        delete fields[name];
        return encodeURIComponent(value);
      });
      const query = new URLSearchParams(
        Object.entries(fields).map(([name, value]) => [name, String(value)]),
      ).toString();
      if (!URL.canParse(filled, url)) throw new Error(`--cloud ${cloud}: not a URL such as http://127.0.0.1:8080`);
      const href = new URL(query === '' ? filled : `${filled}?${query}`, url).href;
      try {
        const reply = await hostHttp().request({
          method: 'GET',
          url: href,
          timeout,
          headers: { authorization: `Bearer ${token}`, accept: 'application/json' },
          ...(pin === undefined ? {} : { pin }),
        });
        const value = JSON.parse(reply.body) as { code?: string; detail?: string };
        return reply.status < 400 ? ok(value) : err(problem(value));
      } catch (error) {
        const why = error instanceof NetError ? `${error.code}: ${error.message}` : String(error);
        throw new Error(
          `The cloud at ${url} cannot be reached (${why}).\nNext: check --cloud, and that \`hearthline cloud\` runs there.`,
        );
      }
    },
  };
}

function problem({ code = '', detail }: { readonly code?: string; readonly detail?: string }): Fault {
  return fault(Object.hasOwn(faults, code) ? (code as FaultCode) : 'internal', detail);
}
