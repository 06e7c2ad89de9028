/** Compares the ports that are open on a gateway (`ss -lntup`) with the list of those that have an owner (`ports.txt`). Pure. */
import { listLines } from './glob.ts';

/** One line of the list. */
export interface OwnedPort {
  /** `always`, only in one role, or `sometimes`: its absence means nothing. */
  readonly when: 'always' | 'router' | 'client' | 'sometimes';
  readonly protocol: string;
  readonly low: number;
  readonly high: number;
  /** As `ss` shows it. */
  readonly process: string;
}

/** Reads `ports.txt`; throws where a line has another form, since the list is our own. */
export function readOwnedPorts(text: string): OwnedPort[] {
  return listLines(text).map((line) => {
    const [when, protocol = '', range = '', process = ''] = line.split(/\s+/);
    const [low = 0, high = low] = range.split('-').map(Number);
    if (when !== 'always' && when !== 'router' && when !== 'client' && when !== 'sometimes') throw new Error(line);
    if (!(low > 0 && high >= low && high < 65_536) || process === '') throw new Error(line);
    return { when, protocol, low, high, process };
  });
}

/** What is wrong with the ports that `ss -lntup` shows in a gateway of this role; nothing where each has its owner and none is missing. */
export function portFaults(ss: string, owned: readonly OwnedPort[], role: 'router' | 'client'): string[] {
  const open = ss.split('\n').flatMap((line) => {
    const [protocol = '', , , , local = ''] = line.trim().split(/\s+/);
    if (protocol !== 'udp' && protocol !== 'tcp') return [];
    const port = Number(local.slice(local.lastIndexOf(':') + 1));
    return [{ line: line.trim(), protocol, port, process: /\(\("([^"]*)"/.exec(line)?.[1] ?? 'nobody' }];
  });
  const fits = (one: OwnedPort, { protocol, port, process }: (typeof open)[number]) =>
    one.protocol === protocol && one.low <= port && port <= one.high && one.process === process;
  const strangers = open.filter(
    (each) =>
      !owned.some((one) => fits(one, each) && (one.when === role || one.when === 'always' || one.when === 'sometimes')),
  );
  const missing = owned.filter(
    (one) => (one.when === 'always' || one.when === role) && !open.some((each) => fits(one, each)),
  );
  return [
    ...strangers.map(({ line }) => `has no owner: ${line}`),
    ...missing.map(({ protocol, low, process }) => `is not open: ${protocol} ${low} of ${process}`),
  ];
}
