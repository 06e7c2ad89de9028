/** The list of the farm: a new service server is its folder and one line here. */
import type { Part } from '#cloud/bus/part.ts';
import { billing } from './billing/server.ts';
import { conference } from './conference/server.ts';
import { createEmailServer } from './email/server.ts';
import { homeNetworking } from './home-networking/server.ts';
import { createMediaServer, type EngineFor } from './media/server.ts';
import { messaging } from './messaging/server.ts';
import { oamp } from './oamp/server.ts';
import { qos } from './qos/server.ts';
import { softswitch } from './softswitch/server.ts';

/** The service servers in the order in which they start. `engineFor` gives the media server its engine; another softswitch may stand for ours. */
export function farm(engineFor: EngineFor, switches: Part = softswitch): readonly Part[] {
  return [
    oamp,
    billing,
    qos,
    homeNetworking,
    createMediaServer(engineFor),
    conference,
    switches,
    messaging,
    createEmailServer(),
  ];
}
