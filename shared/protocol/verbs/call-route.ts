import Type from 'typebox';
import { At, Dialled, Empty, Id, listOf, request } from '../schema.ts';
import { verbTable } from '../verb.ts';

const CallRoute = Type.Object({ id: Id, home: Id, match: Type.String(), application: Id, createdAt: At });

/** Numbers that an application answers. Its event is `home.call.v1.incoming`; it then answers, transfers or hangs up by the live commands. */
export const callRouteVerbs = verbTable({
  'call-route.create': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'session-manager',
    about:
      'Gives calls to an application: what phones of the home dial (a short code or number), or with a number of the home, what is called there.',
    request: request({ home: Id, match: Dialled, application: Id }),
    reply: CallRoute,
    faults: ['not_found', 'conflict', 'limit_reached'],
    scope: 'calls:write',
    http: { method: 'POST', path: '/v1/homes/{home}/call-routes', status: 201 },
    cli: 'call-route create',
    example: { home: 'home_1', match: '*55', application: 'app_doorbell' },
  },
  'call-route.list': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'session-manager',
    about: 'Lists the numbers of a home that applications answer.',
    request: request({ home: Id }),
    reply: listOf(CallRoute),
    faults: ['not_found'],
    scope: 'calls:read',
    http: { method: 'GET', path: '/v1/homes/{home}/call-routes', status: 200 },
    cli: 'call-route list',
    example: { home: 'home_1' },
  },
  'call-route.delete': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'session-manager',
    about: 'Takes a number from an application.',
    request: request({ home: Id, route: Id }),
    reply: Empty,
    faults: ['not_found'],
    scope: 'calls:write',
    http: { method: 'DELETE', path: '/v1/homes/{home}/call-routes/{route}', status: 204 },
    cli: 'call-route delete',
    example: { home: 'home_1', route: 'rte_1' },
  },
});
