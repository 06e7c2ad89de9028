/** Settings in words, for the status file: never a secret. Pure. */
import type { ImageSettings } from '#shared/protocol/image-settings.ts';
import type { RouterPlan } from '../home-network/router.ts';

export function appliedLines(settings: ImageSettings, plan: RouterPlan, claim: boolean): string[] {
  const { hostname, cloud, proxy } = settings;
  return [
    `Name: ${hostname ?? DEFAULT_HOSTNAME}`,
    `Cloud: ${cloud === undefined ? 'none is set; write "cloud": "https://…" of your operator' : cloud.replace(/#.*$/, '')}`,
    ...(claim ? ['Claim: taken; the gateway pairs by it'] : []),
    `Network: ${plan.role === 'router' ? `router, the house is ${plan.lan.address}/24` : 'a guest in the network that is there'}`,
    ...plan.uplinks.map(
      ({ port, fixed }) =>
        `  to the internet by ${port}, ${fixed === undefined ? 'address by DHCP' : `address ${fixed.address}`}`,
    ),
    wifiLine(plan, settings),
    ...(plan.ntp.length > 0 ? [`Time servers: ${plan.ntp.join(', ')}`] : []),
    ...(proxy === undefined ? [] : [`Proxy: ${proxy}`]),
  ];
}

/** The name of a gateway that was given none. */
export const DEFAULT_HOSTNAME = 'hearthline';

function wifiLine({ wifi, country }: RouterPlan, settings: ImageSettings): string {
  const asked = settings.wifi !== undefined && settings.wifi.mode !== 'off';
  if (wifi.at === 'off') return asked ? 'Wi-Fi: off, as this gateway has no radio' : 'Wi-Fi: off';
  const what =
    wifi.at === 'client'
      ? `joins ${wifi.ssid}`
      : `makes the network ${wifi.ssid}; its password is on the gateway’s page`;
  return `Wi-Fi: ${what} (${country})`;
}
