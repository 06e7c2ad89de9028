/** The ways from a shell to one gateway: the socket in its state folder, or the cloud's open API. */
import { connect } from 'node:net';
import { err, ok, type Result } from '#shared/kernel/result.ts';
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
  return {
    async ask(verb, body, timeout) {
      // Loaded here: a question on the gateway itself needs neither.
      const [{ verbEntry }, { callCloud }] = await Promise.all([
        import('#shared/protocol/verbs/index.ts'),
        import('../cloud-call.ts'),
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
      const asked = query === '' ? filled : `${filled}?${query}`;
      const reply = await callCloud({ cloud, token }, { method: 'GET', path: asked, timeout });
      if (reply.ok) return reply;
      if (reply.fault.problem === undefined) throw new Error(reply.fault.words.replace(/^hearthline: /, ''));
      return err(problem(reply.fault.problem as { code?: string; detail?: string }));
    },
  };
}

function problem({ code = '', detail }: { readonly code?: string; readonly detail?: string }): Fault {
  return fault(Object.hasOwn(faults, code) ? (code as FaultCode) : 'internal', detail);
}
