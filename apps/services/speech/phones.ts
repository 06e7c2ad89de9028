/**
 * Sounds of spoken English for the synthesiser: formants in Hz (after Peterson and Barney 1952 for the vowels, Klatt 1980 for the rest,
 * rounded), length in ms, and how the sound is made.
 */
type Formants = readonly [number, number, number];

export interface Phone {
  /** `voiced`: a buzz; `hiss`: noise in a band; `both`; `stop`: silence and a burst; `none`: silence. */
  readonly kind: 'voiced' | 'hiss' | 'both' | 'stop' | 'none';
  readonly ms: number;
  readonly formants: Formants;
  /** Where glides end. */
  readonly to?: Formants;
  /** Band of the noise: centre and width, Hz. */
  readonly noise?: readonly [number, number];
  readonly level: number;
}

const voiced = (ms: number, level: number, formants: Formants, to?: Formants): Phone => ({
  kind: 'voiced',
  ms,
  formants,
  level,
  ...(to === undefined ? {} : { to }),
});
const noisy = (kind: Phone['kind'], ms: number, level: number, noise: readonly [number, number], f2 = 1500): Phone => ({
  kind,
  ms,
  level,
  formants: [320, f2, 2500],
  noise,
});

/** By the symbols of ARPAbet; `_` is a pause. */
export const phones: Readonly<Record<string, Phone>> = {
  AA: voiced(140, 1, [730, 1090, 2440]),
  AE: voiced(140, 1, [660, 1720, 2410]),
  AH: voiced(100, 1, [640, 1190, 2390]),
  AO: voiced(140, 1, [570, 840, 2410]),
  AW: voiced(190, 1, [730, 1090, 2440], [400, 900, 2300]),
  AX: voiced(70, 1, [500, 1400, 2400]),
  AY: voiced(190, 1, [730, 1200, 2440], [330, 2100, 2800]),
  EH: voiced(120, 1, [530, 1840, 2480]),
  ER: voiced(140, 1, [490, 1350, 1690]),
  EY: voiced(170, 1, [530, 1840, 2480], [320, 2200, 2850]),
  IH: voiced(90, 1, [390, 1990, 2550]),
  IY: voiced(130, 1, [270, 2290, 3010]),
  OW: voiced(170, 1, [550, 950, 2400], [350, 850, 2250]),
  OY: voiced(200, 1, [570, 840, 2410], [330, 2050, 2700]),
  UH: voiced(90, 1, [440, 1020, 2240]),
  UW: voiced(130, 1, [300, 870, 2240]),
  L: voiced(70, 0.6, [360, 1000, 2700]),
  R: voiced(70, 0.6, [330, 1150, 1500]),
  W: voiced(70, 0.6, [300, 700, 2200]),
  Y: voiced(60, 0.6, [270, 2200, 3000]),
  M: voiced(80, 0.45, [260, 1100, 2200]),
  N: voiced(75, 0.45, [260, 1600, 2600]),
  NG: voiced(85, 0.45, [260, 2000, 2700]),
  S: noisy('hiss', 110, 0.35, [3500, 900]),
  SH: noisy('hiss', 120, 0.4, [2600, 900], 1800),
  F: noisy('hiss', 100, 0.14, [2200, 3000], 1100),
  TH: noisy('hiss', 95, 0.1, [2900, 2500], 1300),
  HH: noisy('hiss', 60, 0.16, [1200, 1600]),
  Z: noisy('both', 85, 0.3, [3500, 900]),
  ZH: noisy('both', 85, 0.32, [2600, 900]),
  V: noisy('both', 65, 0.22, [2200, 3000]),
  DH: noisy('both', 55, 0.2, [2700, 2500]),
  P: noisy('stop', 90, 0.25, [900, 900], 800),
  T: noisy('stop', 85, 0.4, [3300, 1400], 1700),
  K: noisy('stop', 95, 0.4, [1800, 800], 1800),
  B: noisy('stop', 70, 0.2, [700, 700], 800),
  D: noisy('stop', 65, 0.28, [3000, 1400], 1700),
  G: noisy('stop', 75, 0.28, [1700, 800], 1800),
  CH: noisy('stop', 130, 0.4, [2600, 900], 1800),
  JH: noisy('stop', 100, 0.3, [2600, 900], 1800),
  _: { kind: 'none', ms: 90, formants: [500, 1500, 2500], level: 0 },
};
