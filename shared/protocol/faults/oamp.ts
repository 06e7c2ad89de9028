import { faultTable } from './entry.ts';

/** Faults of provisioning, pairing and the gateways' management. */
export const oampFaults = faultTable({
  pairing_code_invalid: {
    title: 'This pairing code is not valid',
    next: 'Read the code on the gateway again; it changes every 15 minutes.',
    retry: 'never',
    http: 404,
    sip: 404,
  },
  pairing_back_off: {
    title: 'Too many wrong pairing codes',
    next: 'Wait as long as Retry-After says, then try again.',
    retry: 'later',
    http: 429,
    sip: 503,
  },
  pairing_timeout: {
    title: 'The gateway did not finish pairing within 60 s',
    next: 'See that the gateway has power and internet, then pair with its new code.',
    retry: 'now',
    http: 504,
    sip: 408,
  },
  pairing_request_invalid: {
    title: 'The gateway sent a certificate request that does not match its key',
    next: 'Reset the gateway and pair again.',
    retry: 'never',
    http: 400,
    sip: 400,
  },
  pairing_not_connected: {
    title: 'The gateway did not come back with its certificate',
    next: 'See that the MQTT port can be reached from the gateway, then pair again.',
    retry: 'now',
    http: 504,
    sip: 408,
  },
  pairing_document_rejected: {
    title: 'The gateway refused its first configuration',
    next: 'Look at the gateway’s log (`hearthline logs`), update it and pair again.',
    retry: 'now',
    http: 502,
    sip: 500,
  },
  pairing_key_mismatch: {
    title: 'The code belongs to another gateway’s key',
    next: 'Scan the QR on the gateway itself.',
    retry: 'never',
    http: 409,
    sip: 403,
  },
  gateway_offline: {
    title: 'The gateway is not connected',
    next: 'Check its power and internet; it comes back by itself.',
    retry: 'later',
    http: 503,
    sip: 480,
  },
  gateway_refused: {
    title: 'The gateway refused the command',
    next: 'The detail says why.',
    retry: 'never',
    http: 502,
    sip: 403,
  },
  number_taken: {
    title: 'This number belongs to a line already',
    next: 'Choose another number or leave it out.',
    retry: 'never',
    http: 409,
    sip: 403,
  },
  account_taken: {
    title: 'An account of this name exists',
    next: 'Choose another name.',
    retry: 'never',
    http: 409,
    sip: 403,
  },
  limit_reached: {
    title: 'A limit of docs/limits.md is reached',
    next: 'The detail names it; remove something first or ask the operator.',
    retry: 'never',
    http: 409,
    sip: 403,
  },
});
