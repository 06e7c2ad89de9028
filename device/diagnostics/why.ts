/** Answers in plain words, from what the checks found, the lines, and the calls that are remembered. Pure. */
import { type FaultCode, faults } from '#shared/protocol/fault.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import type { LineInsight, Refusal } from '../sip-edge/insight.ts';
import type { CallFacts, TraceReply } from './call-book.ts';
import { type CheckResult, rootOf } from './judge.ts';

export type Answer = VerbReply<'gateway.why.local'>;

/** Why the gateway does not work as it should. */
export function whyGateway(items: readonly CheckResult[]): Answer {
  const root = rootOf(items);
  if (root === undefined) {
    const good = items.filter(({ result }) => result === 'ok').length;
    return { answer: 'Nothing is wrong with this gateway.', evidence: [`${good} checks are well`], certain: true };
  }
  const more = items.filter(({ because }) => because === root.id).map(({ id }) => id);
  const others = items
    .filter((one) => one.result === 'fail' && one !== root)
    .map(({ id, evidence }) => `${id}: ${evidence}`);
  return {
    answer: root.cause ?? root.evidence,
    evidence: [
      `${root.id}: ${root.evidence}`,
      ...(more.length === 0 ? [] : [`${more.length} other checks wait for that: ${more.slice(0, 8).join(', ')}`]),
      ...others.slice(0, 4),
    ],
    ...(root.next === undefined ? {} : { next: root.next }),
    check: root.id,
    certain: root.result === 'fail',
  };
}

export interface LineFacts {
  readonly lines: readonly LineInsight[];
  readonly refusals: readonly Refusal[];
  /** Newest first. */
  readonly calls: readonly CallFacts[];
}

/** Why a phone does not ring; `name` is a line's id, number, username or name. */
export function whyLine(name: string, { lines, refusals, calls }: LineFacts, items: readonly CheckResult[]): Answer {
  const digits = name.replace(/[^0-9]/g, '');
  const line =
    lines.find((one) => [one.id, one.number, one.username, one.name].includes(name)) ??
    lines.find((one) => digits.length >= 4 && one.number.endsWith(digits));
  if (line === undefined) {
    const known = lines.map(({ number }) => number).join(', ');
    return {
      answer: `This gateway has no line ${name}.`,
      evidence: [known === '' ? 'it has no lines at all' : `its lines are ${known}`],
      next: 'See `hearthline line list` in the cloud: the line may belong to another home.',
      check: 'voice.lines',
      certain: true,
    };
  }
  return withoutPhone(line, refusals) ?? withoutListener(items) ?? withoutWay(line, items) ?? lastCall(line, calls);
}

function withoutPhone(
  { kind, phones, number, username }: LineInsight,
  refusals: readonly Refusal[],
): Answer | undefined {
  if (phones.length > 0 || kind === 'appliance') return undefined;
  const tried = refusals.filter((one) => one.username === username).at(-1);
  return tried === undefined
    ? {
        answer: `No phone is registered on ${number}.`,
        evidence: ['the gateway has no registration of it'],
        next: 'Switch the phone on and see that it uses this gateway as registrar, with the line’s SIP username and password.',
        check: 'voice.phones',
        certain: true,
      }
    : {
        answer: `The phone of ${number} has a wrong password.`,
        evidence: [`${tried.source} was refused with ${tried.status} as ${tried.username}`],
        next: 'Enter the line’s SIP password in the phone again; a new one comes with a new line.',
        check: 'voice.refused',
        certain: true,
      };
}

function withoutListener(items: readonly CheckResult[]): Answer | undefined {
  const listener = items.find(({ id }) => id === 'voice.listener');
  return listener?.result === 'fail' ? { ...whyGateway([listener]), check: listener.id } : undefined;
}

function withoutWay({ number, upstream, phones }: LineInsight, items: readonly CheckResult[]): Answer | undefined {
  if (upstream === 'held') return undefined;
  const registered = items.find(({ id }) => id === 'voice.registered');
  const blocker = items.find(({ id }) => id === (registered?.because ?? ''));
  const cause = blocker ?? (registered?.result === 'ok' ? undefined : registered);
  return {
    answer: `Phones inside the house reach ${number}, calls from outside do not: the softswitch does not know its phone.${cause?.cause === undefined ? '' : ` ${cause.cause}`}`,
    evidence: [
      `registration at the softswitch: ${upstream}`,
      ...(phones.length === 0 ? [] : [`its phone: ${phones.join(', ')}`]),
      ...(cause === undefined ? [] : [`${cause.id}: ${cause.evidence}`]),
    ],
    ...(cause?.next === undefined ? {} : { next: cause.next }),
    ...(cause === undefined ? {} : { check: cause.id }),
    certain: cause?.result === 'fail',
  };
}

function lastCall({ number, phones }: LineInsight, calls: readonly CallFacts[]): Answer {
  const last = calls.find(({ to }) => to.replace(/^\+/, '') === number.replace(/^\+/, ''));
  const evidence = [`registered: ${phones.join(', ') || 'the appliance itself'}`, 'the softswitch knows it'];
  if (last?.reason === undefined || last.answeredAt !== undefined)
    return {
      answer: `${number} should ring: nothing is in its way here.`,
      evidence: [...evidence, ...(last === undefined ? ['no call has come to it since the gateway started'] : [])],
      next: 'Call it and run `hearthline call list`; look for silent mode or call forwarding in the phone itself.',
      certain: false,
    };
  return {
    answer: `The last call to ${number} rang nobody: ${meaning(last.reason)}.`,
    evidence: [...evidence, `call ${last.id} from ${last.from} ended with ${last.reason}`],
    next: `See \`hearthline call trace ${last.id}\`.`,
    certain: false,
  };
}

/** Why a call ended. */
export function whyCall(call: CallFacts, trace: TraceReply | undefined): Answer {
  const refusals = (trace?.items ?? []).filter(
    ({ summary }) => /^[3-6][0-9]{2} /.test(summary) && !/^(401|407) /.test(summary),
  );
  const bye = (trace?.items ?? []).find(({ summary }) => /^(BYE|CANCEL) /.test(summary));
  const evidence = [
    `from ${call.from} to ${call.to}, ${call.answeredAt === undefined ? 'never answered' : 'answered'}`,
    ...refusals.slice(-2).map(({ summary, peer, kind }) => `${summary} ${kind === 'in' ? 'from' : 'to'} ${peer}`),
    ...(bye === undefined ? [] : [`${bye.summary.split(' ')[0]} ${bye.kind === 'in' ? 'from' : 'to'} ${bye.peer}`]),
  ];
  if (call.reason === undefined) return { answer: `Call ${call.id} goes on.`, evidence, certain: true };
  const entry = entryOf(call.reason);
  const next = entry?.next ?? (call.answeredAt === undefined ? `See \`hearthline call trace ${call.id}\`.` : undefined);
  return {
    answer: `Call ${call.id} ended: ${meaning(call.reason)}.`,
    evidence,
    ...(next === undefined ? {} : { next }),
    certain: true,
  };
}

const entryOf = (reason: string) => (Object.hasOwn(faults, reason) ? faults[reason as FaultCode] : undefined);

/** Reasons that are no faults. */
const PLAIN: Readonly<Record<string, string>> = {
  hangup: 'one side hung up',
  cancelled: 'the caller hung up before anybody answered',
};

function meaning(reason: string): string {
  const title = entryOf(reason)?.title;
  if (title !== undefined) return title.slice(0, 1).toLowerCase() + title.slice(1);
  return Object.hasOwn(PLAIN, reason) ? (PLAIN[reason] ?? reason) : reason;
}
