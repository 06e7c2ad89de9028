import { call } from './api.ts';
import type { Self } from './app.tsx';
import { useLoad } from './hooks.ts';
import { type House, useHouses } from './houses.ts';
import { SessionList } from './sessions.tsx';
import { StartPanel } from './start.tsx';
import { countText } from './text.ts';
import { Card, Empty, Link, Page, Pill, TroubleNote } from './ui.tsx';

/** Everything at a glance, and the panel that starts something. */
export function Overview({ self }: { self: Self }) {
  const houses = useHouses();
  const live = useLoad('live', () => call('session.list', { live: true, limit: 20 }), 2000);
  const farm = useLoad('farm', () => call('farm.list', {}), 5000);
  const down = farm.value?.items.filter((server) => server.state !== 'running') ?? [];
  return (
    <Page title="Overview" lead={<Lead houses={houses.value} sessions={live.value?.items.length} down={down.length} />}>
      <TroubleNote trouble={houses.trouble ?? live.trouble} />
      <div class="columns">
        <div>
          <Card title="Live sessions" aside={<Link to="/sessions" class="aside">All sessions</Link>}>
            <SessionList
              sessions={live.value?.items}
              houses={houses.value}
              none="Nothing is going on. Start something with the panel, or pick up a phone."
            />
          </Card>
          <Card title="Homes" aside={<Link to="/homes" class="aside">All homes</Link>}>
            <HouseList houses={houses.value} operator={self.role === 'operator'} />
          </Card>
        </div>
        <StartPanel houses={houses.value} onStarted={live.reload} />
      </div>
    </Page>
  );
}

function Lead({
  houses,
  sessions,
  down,
}: {
  houses: readonly House[] | undefined;
  sessions: number | undefined;
  down: number;
}) {
  if (houses === undefined) return <>Looking…</>;
  const phones = houses.flatMap((house) => house.lines).filter((line) => line.registered).length;
  const online = houses.flatMap((house) => house.gateways).filter((gateway) => gateway.online).length;
  const parts = [
    countText(houses.length, 'home'),
    `${countText(online, 'gateway')} online`,
    `${countText(phones, 'phone')} ready`,
    countText(sessions ?? 0, 'live session'),
  ];
  return (
    <>
      {parts.join(' · ')}
      {down > 0 && (
        <>
          {' '}
          · <Link to="/farm">{countText(down, 'server')} not running</Link>
        </>
      )}
    </>
  );
}

export function HouseList({ houses, operator }: { houses: readonly House[] | undefined; operator: boolean }) {
  if (houses === undefined) return <Empty>Looking…</Empty>;
  if (houses.length === 0)
    return (
      <Empty>
        {operator
          ? 'No home yet. Add the first one under Homes.'
          : 'No home belongs to this account yet; ask your operator.'}
      </Empty>
    );
  return (
    <ul class="list">
      {houses.map(({ home, lines, gateways }) => {
        const online = gateways.some((gateway) => gateway.online);
        return (
          <li key={home.id}>
            <div class="grow">
              <Link to={`/homes/${home.id}`} class="strong">
                {home.name}
              </Link>
              <span class="muted">
                {countText(lines.filter((line) => line.registered).length, 'phone')} ready of {lines.length}
              </span>
            </div>
            {gateways.length === 0 ? (
              <Pill tone="quiet">no gateway</Pill>
            ) : (
              <Pill tone={online ? 'good' : 'bad'}>{online ? 'online' : 'offline'}</Pill>
            )}
          </li>
        );
      })}
    </ul>
  );
}
