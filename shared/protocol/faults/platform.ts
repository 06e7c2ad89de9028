import { faultTable } from './entry.ts';

/** Faults of the open API as a platform: preconditions, sockets, OAuth 2. */
export const platformFaults = faultTable({
  precondition_failed: {
    title: 'The thing has changed since you read it',
    next: 'Read it again (its ETag is new), decide anew, and send If-Match with that ETag.',
    retry: 'never',
    http: 412,
    sip: 412,
  },
  upgrade_required: {
    title: 'This path takes WebSocket connections only',
    next: 'Connect with a WebSocket client, or use GET /v1/events for server-sent events.',
    retry: 'never',
    http: 426,
    sip: 400,
  },
});
