import { faultTable } from './entry.ts';

/** Faults of calls, media, conferences, quality of service and billing; they are also the reasons with which legs end. */
export const voiceFaults = faultTable({
  callee_unknown: { title: 'Nobody has this number', next: 'Check the number.', retry: 'never', http: 404, sip: 404 },
  callee_offline: {
    title: 'No phone of the callee is registered',
    next: 'Try again when a phone of that line is on.',
    retry: 'later',
    http: 409,
    sip: 480,
  },
  callee_busy: { title: 'The callee is busy', next: 'Try again later.', retry: 'later', http: 409, sip: 486 },
  callee_declined: {
    title: 'The callee declined the call',
    next: 'Nothing; the callee decides.',
    retry: 'never',
    http: 409,
    sip: 603,
  },
  /** RFC 5079. */
  caller_anonymous: {
    title: 'The callee takes no calls without a number',
    next: 'Call again and let the number be shown.',
    retry: 'never',
    http: 409,
    sip: 433,
  },
  destination_barred: {
    title: 'This line may not call such numbers',
    next: 'Dial *33*PIN*NUMBER, or let the line’s owner change what it may call.',
    retry: 'never',
    http: 403,
    sip: 403,
  },
  no_answer: { title: 'Nobody answered in time', next: 'Try again later.', retry: 'later', http: 409, sip: 480 },
  no_codec: {
    title: 'The phone and the media server share no codec',
    next: 'Enable PCMU or PCMA on the phone.',
    retry: 'never',
    http: 409,
    sip: 488,
  },
  media_item_unknown: {
    title: 'The library has no such item',
    next: 'GET /v1/media lists the items.',
    retry: 'never',
    http: 404,
    sip: 404,
  },
  media_lost: {
    title: 'No sound has come from the other side',
    next: 'Check the network between the gateway and the cloud.',
    retry: 'now',
    http: 504,
    sip: 408,
  },
  uplink_full: {
    title: 'The home’s line has no room for another call',
    next: 'End another call or stream first.',
    retry: 'later',
    http: 503,
    sip: 503,
  },
  insufficient_credit: {
    title: 'The prepaid balance does not cover this',
    next: 'Top up the balance.',
    retry: 'never',
    http: 402,
    sip: 402,
  },
  room_full: {
    title: 'The conference room is full',
    next: 'Wait until somebody leaves.',
    retry: 'later',
    http: 409,
    sip: 486,
  },
  lost: {
    title: 'The leg was lost in a fault and its lease ran out',
    next: 'Set it up again.',
    retry: 'now',
    http: 409,
    sip: 480,
  },
});
