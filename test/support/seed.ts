/**
 * The seed of everything random in the tests: generated requests, random kills. `npm test` takes the same one every time, so a red
 * run says that the change is at fault; the long suite draws a new one each time and names it. `HEARTHLINE_SEED=n` replays one.
 */
const FIXED = 20_261_122;

export const seed =
  process.env.HEARTHLINE_SEED !== undefined
    ? Number(process.env.HEARTHLINE_SEED)
    : process.env.HEARTHLINE_LONG === '1'
      ? Math.floor(Math.random() * 1e9)
      : FIXED;
