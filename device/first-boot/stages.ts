/**
 * The nine stages from power to ready: where a gateway stands, why it goes no further, and what to do next. A stage that harms
 * nobody when it is missing (the time) is passed with a word. Pure: from facts to stages.
 */

/** In their order; LEDs blink a stage's number. */
export const STAGES = ['power', 'boot', 'storage', 'network', 'address', 'time', 'cloud', 'pair', 'ready'] as const;
export type Stage = (typeof STAGES)[number];

/** What is known of the gateway. */
export interface StageFacts {
  /** The data partition takes writes. */
  readonly storage: boolean;
  /** Of the ports that are up, in words such as `eth0`; loopback aside. */
  readonly links: readonly string[];
  /** Own addresses that reach further than a link, in words such as `eth0 192.0.2.5`. */
  readonly addresses: readonly string[];
  /** Of those, the ones of the house's own LAN are the gateway's doing and say nothing about the way out. */
  readonly uplink: boolean;
  /** Somebody has told the time since the start: a time server, or the cloud. */
  readonly timed: boolean;
  /** A cloud is set. */
  readonly cloudSet: boolean;
  /** It was found at this start or an earlier one. */
  readonly cloudFound: boolean;
  /** Why it is not found, in words. */
  readonly problem?: string | undefined;
  readonly pairing: 'unpaired' | 'announced' | 'pairing' | 'paired';
  /** Why the last pairing came to nothing, in words. */
  readonly cause?: string | undefined;
  /** The gateway's own connection is up. */
  readonly online: boolean;
}

export interface StageRow {
  readonly stage: Stage;
  /** `missing`: passed without it, for now. */
  readonly is: 'done' | 'now' | 'missing' | 'later';
  readonly text: string;
  /** What to do next; only where the gateway waits for somebody. */
  readonly next?: string;
}

export interface Standing {
  /** Where the gateway stands; `ready` is the last. */
  readonly stage: Stage;
  /** 1 to 9. */
  readonly number: number;
  readonly rows: readonly StageRow[];
  /**
   * The gateway has done its own part: it serves the house, and only a person, or the world outside, is still missing. Reached
   * with no internet, no name server, no time server and no clock.
   */
  readonly readyToPair: boolean;
}

type Look = (facts: StageFacts) => Omit<StageRow, 'stage'>;

const done = (text: string): Omit<StageRow, 'stage'> => ({ is: 'done', text });
const now = (text: string, next?: string): Omit<StageRow, 'stage'> => ({
  is: 'now',
  text,
  ...(next === undefined ? {} : { next }),
});

const looks: Readonly<Record<Stage, Look>> = {
  power: () => done('has power'),
  boot: () => done('the system runs'),
  storage: ({ storage }) =>
    storage
      ? done('the card keeps what it is told')
      : now('the card takes no writes', 'Switch the gateway off and on; if that does not help, flash a new card.'),
  network: ({ links }) =>
    links.length > 0
      ? done(`connected by ${links.join(', ')}`)
      : now('no cable and no Wi-Fi network', 'Plug in a network cable, or look at "wifi" in hearthline.json.'),
  address: ({ addresses, uplink }) =>
    uplink
      ? done(addresses.slice(0, 4).join(', '))
      : now(
          addresses.length > 0 ? 'no address from the internet’s side' : 'nobody gives this gateway an address',
          'Switch the router on, or write "network" with an address into hearthline.json.',
        ),
  time: ({ timed }) =>
    timed
      ? done('somebody has told the time')
      : { is: 'missing', text: 'nobody has told the time yet; pairing works without' },
  cloud: ({ cloudSet, cloudFound, problem }) => {
    if (cloudFound) return done('the cloud was found');
    if (!cloudSet) return now('no cloud is set', 'Write "cloud": "https://…" of your operator into hearthline.json.');
    return now(
      problem ?? 'looking for the cloud',
      'See that the internet works here; the gateway goes on trying by itself.',
    );
  },
  pair: ({ pairing, cause }) => {
    if (pairing === 'paired') return done('belongs to a home');
    if (pairing === 'pairing') return now('pairing');
    const code = 'Open the gateway’s own page or its console, and scan or type the code in the app.';
    const text = pairing === 'announced' ? 'shows a code' : 'getting a code';
    return now(cause === undefined ? text : `${text}; ${cause}`, pairing === 'announced' ? code : undefined);
  },
  ready: ({ online }) =>
    online
      ? done('in service')
      : now('the house is served; the cloud is not connected', 'It connects by itself; calls inside the house work.'),
};

/** Where a gateway with these facts stands. */
export function standing(facts: StageFacts): Standing {
  const rows: StageRow[] = [];
  let current: Stage | undefined;
  for (const stage of STAGES) {
    const row = { stage, ...looks[stage](facts) };
    // A paired gateway is ready although this or that is missing just now; stages before its own are told all the same.
    if (current === undefined) rows.push(row);
    else rows.push({ stage, is: row.is === 'done' ? 'done' : 'later', text: row.text });
    if (row.is === 'now') current ??= stage;
  }
  const stage = current ?? 'ready';
  const waitsForWorld = STAGES.indexOf(stage) >= STAGES.indexOf('network');
  return { stage, number: STAGES.indexOf(stage) + 1, rows, readyToPair: waitsForWorld };
}

/** One line for a console: `stage 5 of 9, address: nobody gives …. Next: …`. */
export function stageLine({ stage, number, rows }: Standing): string {
  const row = rows.find((one) => one.stage === stage);
  const next = row?.next === undefined ? '' : ` Next: ${row.next}`;
  return `stage ${number} of ${STAGES.length}, ${stage}: ${row?.text ?? ''}.${next}`;
}
