/**
 * Diagnosis of a gateway through the cloud: the question goes to the gateway's user agent and its answer comes back. Why a gateway
 * does not answer, and how a session ended, the cloud says by itself.
 */
import type { Context, Handlers, Outcome } from '#cloud/bus/bus.ts';
import { type GatewayRow, gatewayById, sees } from '#cloud/store/directory.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Fault, type FaultCode, fault, faults } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { Oamp } from './parts.ts';

/** The questions that go to the gateway as they are. */
const ASKED = [
  'gateway.status',
  'gateway.check',
  'gateway.logs',
  'gateway.calls',
  'gateway.trace',
  'gateway.network',
  'gateway.hosts',
  'gateway.serial',
  'gateway.update',
  'gateway.bundle',
] as const;
type Asked = (typeof ASKED)[number];
type Why = VerbReply<'gateway.why'>;

/** Milliseconds that a gateway may take: its probes of the network wait for 4 s at the most, side by side. */
const PATIENCE = 8_500;

export function diagnosisHandlers(oamp: Oamp): Pick<Handlers<'oamp'>, Asked | 'gateway.why'> {
  const asked = Object.fromEntries(
    ASKED.map((verb) => [verb, (request: VerbRequest<Asked>, context: Context) => pass(oamp, verb, request, context)]),
  );
  return {
    ...(asked as Pick<Handlers<'oamp'>, Asked>),
    'gateway.why': (request, context) => why(oamp, request, context),
  };
}

async function visible({ store }: Oamp, gateway: string, { principal }: Context): Promise<Result<GatewayRow, Fault>> {
  const row = await gatewayById(store, gateway);
  if (row === undefined || !sees(principal, row.home)) return err(fault('not_found', 'There is no such gateway.'));
  return ok(row);
}

async function pass(
  oamp: Oamp,
  verb: Asked | 'gateway.why',
  { gateway, ...body }: VerbRequest<Asked>,
  context: Context,
): Promise<Result<never, Fault>> {
  const row = await visible(oamp, gateway, context);
  if (!row.ok) return row;
  const command = { gateway, verb: `${verb}.local`, body, timeout: PATIENCE };
  const reached = await oamp.bus.request('gateway.command', command, context, PATIENCE + 500);
  // The edge has held the answer against the verb's schema.
  return reached.ok ? ok(reached.value.body as never) : reached;
}

async function why(oamp: Oamp, request: VerbRequest<'gateway.why'>, context: Context): Promise<Outcome<'gateway.why'>> {
  const row = await visible(oamp, request.gateway, context);
  if (!row.ok) return row;
  const { about, subject = '' } = request;
  if (about === 'call' && subject.startsWith('ses_')) return ended(oamp, subject, context);
  if (row.value.online === 1) {
    const answer = await pass(oamp, 'gateway.why', request, context);
    if (answer.ok || answer.fault.code !== 'gateway_offline') return answer;
  }
  return ok(await absent(oamp, row.value));
}

/** Why a gateway is not here, as far as the cloud can know. */
async function absent({ store, bus }: Oamp, row: GatewayRow): Promise<Why> {
  if (row.state === 'failed' || row.state === 'waiting') {
    const code = row.cause ?? 'pairing_timeout';
    const entry = Object.hasOwn(faults, code) ? faults[code as FaultCode] : undefined;
    return {
      answer: `The gateway is not paired: ${entry?.title ?? code}.`,
      evidence: [`pairing ended with ${code}`],
      ...(entry === undefined ? {} : { next: entry.next }),
      certain: true,
    };
  }
  if (!bus.has('gateway-edge'))
    return {
      answer: 'The gateways’ edge of the cloud is stopped, so no gateway can connect.',
      evidence: ['GET /v1/farm names the servers that run'],
      next: 'Start the cloud’s gateways’ edge again.',
      certain: true,
    };
  const alarm = await store.one<{ raised_at: number }>(
    "SELECT raised_at FROM alarm WHERE gateway = ? AND cause = 'gateway.offline' AND cleared_at IS NULL",
    [row.id],
  );
  const others = await store.one<{ online: number; paired: number }>(
    "SELECT SUM(online) AS online, COUNT(*) AS paired FROM gateway WHERE state = 'paired' AND id <> ?",
    [row.id],
  );
  const evidence = [
    alarm === undefined ? 'no connection at this moment' : `missing since ${new Date(alarm.raised_at).toISOString()}`,
    `${others?.online ?? 0} of ${others?.paired ?? 0} other gateways are connected`,
  ];
  const alone = (others?.online ?? 0) > 0 || (others?.paired ?? 0) === 0;
  return {
    answer: alone
      ? 'The gateway has no connection to the cloud: it has no power, or the home has no internet.'
      : 'No gateway is connected: the fault is on the cloud’s side, its network or its MQTT port.',
    evidence,
    next: alone
      ? 'Look at its power and the home’s router; on site, run `hearthline why --state DIR` or use its serial console.'
      : 'Check that the MQTT port of the cloud can be reached from outside.',
    certain: false,
  };
}

/** How a session ended, leg by leg, from its journal. */
async function ended({ bus }: Oamp, session: string, context: Context): Promise<Outcome<'gateway.why'>> {
  const found = await bus.request('session.get', { session }, context);
  if (!found.ok) return found;
  const { state, reason, legs } = found.value;
  const evidence = legs.map(
    (leg) =>
      `${leg.role} ${leg.party ?? leg.id}: ${leg.state}${leg.reason === undefined ? '' : `, ${leg.reason}`} (${leg.server})`,
  );
  if (state !== 'ended') return ok({ answer: `The session is ${state}; it has not ended.`, evidence, certain: true });
  const code = legs.find((leg) => isFault(leg.reason))?.reason ?? reason ?? 'unknown';
  const entry = isFault(code) ? faults[code] : undefined;
  return ok({
    answer: entry === undefined ? `The session ended: ${code}.` : `The session ended since ${lowerFirst(entry.title)}.`,
    evidence,
    ...(entry === undefined ? {} : { next: entry.next }),
    certain: true,
  });
}

const isFault = (code: string | undefined): code is FaultCode => code !== undefined && Object.hasOwn(faults, code);
const lowerFirst = (text: string): string => `${text.slice(0, 1).toLowerCase()}${text.slice(1)}`;
