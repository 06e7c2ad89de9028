/** The scenarios that ship. A new one is its file and one line here. */
import type { Scenario } from '../scenario.ts';
import { appletBomb } from './applet-bomb.ts';
import { call } from './call.ts';
import { cloudRestart } from './cloud-restart.ts';
import { conference } from './conference.ts';
import { firstBoot } from './first-boot.ts';
import { fleet } from './fleet.ts';
import { lanChurn } from './lan-churn.ts';
import { mediaOnDemand } from './media-on-demand.ts';
import { messageOffline } from './message-offline.ts';
import { reconnectStorm } from './reconnect-storm.ts';
import { wanCut } from './wan-cut.ts';

export const scenarios: readonly Scenario[] = [
  firstBoot,
  call,
  conference,
  mediaOnDemand,
  messageOffline,
  wanCut,
  reconnectStorm,
  cloudRestart,
  appletBomb,
  lanChurn,
  fleet,
];
