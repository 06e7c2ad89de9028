/** What applets hear of the house's calls. Numbers as they were dialled; `call` names the call as long as it lasts. */
export type HouseEvent =
  | { readonly on: 'ringing'; readonly call: string; readonly from: string; readonly to: string; readonly at: number }
  | { readonly on: 'answered'; readonly call: string; readonly at: number }
  /** A digit by RFC 4733; `by`: who pressed it. */
  | { readonly on: 'digit'; readonly call: string; readonly by: 'caller' | 'callee'; readonly digit: string }
  | { readonly on: 'ended'; readonly call: string; readonly reason: string; readonly at: number };
