/** What softswitch processes say to each other, by way of the main process. */
import type { DialogView } from '#shared/sip/dialog-info.ts';
import type { Flow } from '#shared/sip/types.ts';

/** Whose INVITE it is that one process hands to another, as its credential or gateway proved it there. */
export interface Proven {
  /** Id of the line. */
  readonly line: string;
  readonly gateway?: { readonly gateway: string; readonly home: string };
  /** The call that rings where it goes, and the leg as which it takes that. */
  readonly taking?: { readonly session: string; readonly ringing: string; readonly leg: string };
}

export type Word =
  /** A message that came here for you, over this flow of mine. */
  | { readonly do: 'in'; readonly flow: Flow; readonly text: string }
  /** An INVITE that came here and concerns a call of yours; I have let go of it. */
  | { readonly do: 'take'; readonly flow: Flow; readonly text: string; readonly proven: Proven }
  /** Send this over your flow. */
  | { readonly do: 'out'; readonly flow: Flow; readonly text: string }
  /** The phones of a line changed. */
  | { readonly do: 'line'; readonly line: string }
  /** The gateway came back, over this flow of mine. */
  | { readonly do: 'back'; readonly gateway: string; readonly flow: Flow }
  /** Calls of lines and trunks that I have now; what is not named has not changed. */
  | { readonly do: 'counts'; readonly of: readonly (readonly [string, number])[] }
  /** I want to know of the calls of these lines, or no more. */
  | { readonly do: 'watch'; readonly lines: readonly string[]; readonly on: boolean }
  /** The calls of a line that I have. */
  | { readonly do: 'lamps'; readonly line: string; readonly views: readonly DialogView[] }
  /** A wrong digest came from there, for that account. */
  | { readonly do: 'wrong'; readonly source: string; readonly account: string };
