/** A text or a still picture inside a service session: a leg that the messaging server serves, from one of its lines to another or to all others. Pure. */
import type { Principal } from '#cloud/bus/bus.ts';
import { sees } from '#cloud/store/directory.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { choose, type Facts, type PartyFacts, partyOf } from './choice.ts';
import type { LegPlan } from './events.ts';
import type { SessionState } from './session.ts';

/** The party of a text that is for everybody else in the session. */
export const EVERYBODY = 'all';

/** The kinds of legs that go as messages. */
export type MessageKind = 'message' | 'still';

export function isMessageKind(kind: string): kind is MessageKind {
  return kind === 'message' || kind === 'still';
}

/** A picture as a `data:` URL (RFC 2397) in base 64. */
const PICTURE = /^data:image\/(jpeg|png|gif|webp);base64,[A-Za-z0-9+/]+={0,2}$/;

export function planMessage(
  kind: MessageKind,
  { text }: Pick<VerbRequest<'leg.add'>, 'text'>,
  party: PartyFacts | undefined,
  facts: Facts,
): Result<LegPlan, Fault> {
  if (text === undefined) return err(fault('bad_request', `A ${kind} leg needs a text.`, { pointer: '/text' }));
  if (kind === 'still' && !PICTURE.test(text))
    return err(
      fault('bad_request', 'A still is a picture as data:image/jpeg;base64,… (or png, gif, webp).', {
        pointer: '/text',
      }),
    );
  const server = choose(kind === 'still' ? 'a still picture' : 'a text', facts);
  if (!server.ok) return server;
  return ok({
    id: facts.legId(),
    kind,
    channel: 'none',
    ...server.value,
    role: kind,
    ...(party === undefined ? { party: EVERYBODY } : partyOf(party)),
    from: 'session',
    to: party?.line?.number ?? EVERYBODY,
    reserve: [],
  });
}

/** From which line to which others the text of such a leg goes: from the asker's own in the session, or the first where all are seen. */
export function messageLines(
  session: SessionState,
  plan: LegPlan,
  principal: Principal,
): Result<{ readonly from: string; readonly to: string[] }, Fault> {
  const lines = new Map<string, string>();
  for (const { line, home, state } of session.legs) {
    if (line !== undefined && home !== undefined && state !== 'ended') lines.set(line, home);
  }
  const everyone = principal.kind === 'account' && principal.homes === 'all' && principal.role === 'operator';
  const from = [...lines].find(([line, home]) => line !== plan.line && (everyone || sees(principal, home)))?.[0];
  if (from === undefined) return err(fault('conflict', 'No line of yours is in this session.'));
  const to = plan.line === undefined ? [...lines.keys()].filter((line) => line !== from) : [plan.line];
  return to.length === 0 ? err(fault('conflict', 'Nobody else is in this session.')) : ok({ from, to });
}
