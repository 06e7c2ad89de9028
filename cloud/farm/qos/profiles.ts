/**
 * Quality-of-service profiles: what a session asks for and gets, in the figures of CAMARA's qos-profiles. Classes and code points after
 * RFC 4594 (table 3); delay, jitter and loss are targets on the home's line. Pure.
 */
export interface Profile {
  readonly name: string;
  readonly about: string;
  readonly serviceClass: string;
  readonly dscp: number;
  /** Reserved on the line, each way. */
  readonly kbits: number;
  readonly delayMs: number;
  readonly jitterMs: number;
  /** Hundredths of a percent. */
  readonly lossPer10000: number;
}

export const profiles: readonly Profile[] = [
  {
    name: 'voice',
    about: 'Talk: one telephone call.',
    serviceClass: 'real_time_interactive_telephony',
    dscp: 46,
    kbits: 100,
    delayMs: 100,
    jitterMs: 20,
    lossPer10000: 25,
  },
  {
    name: 'interactive',
    about: 'Games and remote control: little traffic that must not wait.',
    serviceClass: 'real_time_interactive',
    dscp: 32,
    kbits: 200,
    delayMs: 50,
    jitterMs: 20,
    lossPer10000: 25,
  },
  {
    name: 'video',
    about: 'A video conference that adapts.',
    serviceClass: 'multimedia_conferencing',
    dscp: 34,
    kbits: 800,
    delayMs: 150,
    jitterMs: 30,
    lossPer10000: 50,
  },
  {
    name: 'streaming',
    about: 'Music and films, with a buffer at the end.',
    serviceClass: 'multimedia_streaming',
    dscp: 26,
    kbits: 500,
    delayMs: 400,
    jitterMs: 100,
    lossPer10000: 100,
  },
];

/** Seconds that a session may last. */
export const SHORTEST = 1;
export const LONGEST = 86_400;

export function profileOf(name: string): Profile | undefined {
  return profiles.find((profile) => profile.name === name);
}
