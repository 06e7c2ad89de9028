import { faultTable } from './entry.ts';

/** Faults of service creation: packages, installs, applets and the services that applications compose. */
export const eCenterFaults = faultTable({
  package_invalid: {
    title: 'The package is not one that can be published',
    next: 'The detail says why; pack it again with `hearthline app pack`.',
    retry: 'never',
    http: 422,
    sip: 400,
  },
  package_refused: {
    title: 'The package failed an automatic check',
    next: 'The detail names the check; `hearthline app test` runs the same ones.',
    retry: 'never',
    http: 422,
    sip: 400,
  },
  app_of_another: {
    title: 'This application’s id belongs to another developer or key',
    next: 'Choose another id, or sign with the key of the first version.',
    retry: 'never',
    http: 409,
    sip: 403,
  },
  version_exists: {
    title: 'This version was published already',
    next: 'Raise the version; a published one never changes.',
    retry: 'never',
    http: 409,
    sip: 403,
  },
  version_mismatch: {
    title: 'The two halves of the application are of versions that do not work with each other',
    next: 'Wait for the update of the other half, or install a version that names this one in `matches`.',
    retry: 'later',
    http: 409,
    sip: 403,
  },
  already_installed: {
    title: 'The home has this application already',
    next: 'Update or remove the install that is there.',
    retry: 'never',
    http: 409,
    sip: 403,
  },
  consent_missing: {
    title: 'The application asks for rights that were not consented to',
    next: 'Read the rights that the detail names and send their keys as `consent`.',
    retry: 'never',
    http: 403,
    sip: 403,
  },
  not_permitted: {
    title: 'The application has no permission for that',
    next: 'Name it in the manifest and publish a new version; the subscriber must consent.',
    retry: 'never',
    http: 403,
    sip: 403,
  },
  service_unknown: {
    title: 'There is no such network service application, or no such method of it',
    next: 'GET /v1/services lists them.',
    retry: 'never',
    http: 404,
    sip: 404,
  },
  service_revoked: {
    title: 'The home has withdrawn this service from the application',
    next: 'The subscriber can allow it again at the install.',
    retry: 'never',
    http: 403,
    sip: 403,
  },
  ticket_invalid: {
    title: 'The ticket is not for this package, or has expired',
    next: 'The gateway asks for a new one by itself.',
    retry: 'now',
    http: 403,
    sip: 403,
  },
  applet_not_running: {
    title: 'The user applet does not run on the gateway',
    next: '`hearthline applet list` shows its state and why.',
    retry: 'later',
    http: 409,
    sip: 480,
  },
});
