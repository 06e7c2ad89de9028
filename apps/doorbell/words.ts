/** What the two halves of the doorbell say to each other, and what both know. */

/** What the door station dials. Star codes are free for applications where the home has given them a route. */
export const CODE = '*55';
/** Whoever answers presses this to open. */
export const OPEN = '9';
/** Characters of a still in base 64: it must fit into a message (10,240 octets) with its `data:` in front. */
export const STILL_LIMIT = 10_000;

/** From the cloud half to the applet. */
export type ToApplet =
  /** Phones of the house to ring while the WAN is cut. */
  | { readonly numbers: readonly string[] }
  /** Take a picture for this session. */
  | { readonly look: string }
  /** Somebody in this session pressed 9. */
  | { readonly open: string };

/** From the applet to the cloud half. */
export type ToCloud =
  | { readonly ask: 'numbers' }
  | { readonly still: string; readonly session: string }
  | { readonly opened: string; readonly session: string }
  /** It rang while there was no way to the cloud; told once there is. */
  | { readonly rang: number; readonly answered: boolean; readonly still?: string };

/** The `data:` URL (RFC 2397) by which a still travels where only text does. */
export function pictureOf(still: string): string {
  return `data:image/jpeg;base64,${still}`;
}
