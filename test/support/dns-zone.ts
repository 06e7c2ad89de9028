/** A DNS server's answers from a zone, as octets (RFC 1035), for tests on any world. */
export interface ZoneRecord {
  readonly type: 'A' | 'AAAA' | 'CNAME' | 'SRV' | 'NAPTR';
  /** `192.0.2.1`, `2001:db8::1` in full, a name, `priority weight port target`, or `order preference flags service [rule] replacement`. */
  readonly data: string;
  readonly ttl?: number;
}

const TYPES = { A: 1, CNAME: 5, AAAA: 28, SRV: 33, NAPTR: 35 } as const;

const word = (n: number): number[] => [(n >> 8) & 255, n & 255];
const text = (value: string): number[] => [value.length, ...[...value].map((char) => char.charCodeAt(0))];

function nameOf(name: string): number[] {
  return [
    ...name
      .split('.')
      .filter((label) => label !== '')
      .flatMap(text),
    0,
  ];
}

function dataOf({ type, data }: ZoneRecord): number[] {
  const words = data.split(' ');
  if (type === 'A') return data.split('.').map(Number);
  if (type === 'AAAA') return data.split(':').flatMap((group) => word(Number.parseInt(group, 16)));
  if (type === 'CNAME') return nameOf(data);
  if (type === 'SRV') {
    const [priority = '', weight = '', port = '', target = ''] = words;
    return [...word(Number(priority)), ...word(Number(weight)), ...word(Number(port)), ...nameOf(target)];
  }
  const [order = '', preference = '', flags = '', service = ''] = words;
  const [rule = '', replacement = ''] = words.length > 5 ? words.slice(4) : ['', ...words.slice(4)];
  return [
    ...word(Number(order)),
    ...word(Number(preference)),
    ...[flags, service, rule].flatMap(text),
    ...nameOf(replacement),
  ];
}

/** The answer to a question: the records of the name that are of the type asked for, or aliases with what they lead to. */
export function answerFrom(
  zone: Readonly<Record<string, readonly ZoneRecord[]>>,
  question: Uint8Array,
  flags = 0x8180,
): Uint8Array {
  const labels: string[] = [];
  let at = 12;
  for (let size = question[at] ?? 0; size > 0; size = question[at] ?? 0) {
    labels.push(String.fromCharCode(...question.subarray(at + 1, at + 1 + size)));
    at += 1 + size;
  }
  const type = (question[at + 1] ?? 0) * 256 + (question[at + 2] ?? 0);
  const asked = [...question.subarray(12, at + 5)];
  const records: number[][] = [];
  let name: string | undefined = labels.join('.').toLowerCase();
  const known = zone[name] !== undefined;
  while (name !== undefined) {
    const here: readonly ZoneRecord[] = zone[name] ?? [];
    const own = here.filter((one) => TYPES[one.type] === type);
    const alias = own.length > 0 ? undefined : here.find((one) => one.type === 'CNAME');
    for (const one of alias === undefined ? own : [alias]) {
      const data = dataOf(one);
      const ttl = one.ttl ?? 60;
      const pointer = name === labels.join('.').toLowerCase() ? [0xc0, 12] : nameOf(name);
      records.push([
        ...pointer,
        ...word(TYPES[one.type]),
        0,
        1,
        ...word(ttl >> 16),
        ...word(ttl),
        ...word(data.length),
        ...data,
      ]);
    }
    name = alias?.data;
  }
  const code = known || records.length > 0 ? 0 : 3;
  const head = [...question.subarray(0, 2), ...word(flags | code), 0, 1, ...word(records.length), 0, 0, 0, 0];
  return Uint8Array.from([...head, ...asked, ...records.flat()]);
}
