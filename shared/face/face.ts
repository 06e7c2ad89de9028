/** All that a program needs to register and call: the names of docs/api/sip-stack.md. */
export { hostWorld } from '../host/world.ts';
export { sine } from '../rtp/measure.ts';
export { readWav } from '../rtp/wav.ts';
export type { Account, AccountConfig, Registration } from './account.ts';
export type { AudioPort } from './audio-media.ts';
export type { Call, CallState, Ending } from './call.ts';
export { Endpoint, type EndpointConfig, type Transport, type TransportConfig } from './endpoint.ts';
export type { Trouble, TroubleCode } from './trouble.ts';
