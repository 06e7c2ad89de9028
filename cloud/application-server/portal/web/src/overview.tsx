import { call, type Self } from './api.ts';
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
  return (
    <Page title="Overview">
      <Tiles houses={houses.value ?? []} sessions={live.value?.items.length ?? 0} servers={farm.value?.items ?? []} />
      <TroubleNote trouble={houses.trouble ?? live.trouble} />
      <div class="columns">
        <div>
          <Card
            title="Live sessions"
            aside={
              <Link to="/sessions" class="aside">
                All sessions
              </Link>
            }
          >
            <SessionList
              sessions={live.value?.items}
              houses={houses.value}
              none="All is quiet. Start something here, or pick up a phone."
            />
          </Card>
          <Card
            title="Homes"
            aside={
              <Link to="/homes" class="aside">
                All homes
              </Link>
            }
          >
            <HouseList houses={houses.value} operator={self.role === 'operator'} />
          </Card>
        </div>
        <StartPanel houses={houses.value} onStarted={live.reload} />
      </div>
    </Page>
  );
}

interface TilesProps {
  readonly houses: readonly House[];
  readonly sessions: number;
  readonly servers: readonly { readonly state: string }[];
}

function Tiles({ houses, sessions, servers }: TilesProps) {
  const lines = houses.flatMap((house) => house.lines);
  const gateways = houses.flatMap((house) => house.gateways);
  const running = servers.filter((server) => server.state === 'running').length;
  const tiles = [
    { name: 'Live sessions', value: `${sessions}`, to: '/sessions' },
    { name: 'Phones ready', value: ratio(lines.filter((line) => line.registered).length, lines.length), to: '/homes' },
    {
      name: 'Gateways online',
      value: ratio(gateways.filter((gateway) => gateway.online).length, gateways.length),
      to: '/homes',
    },
    { name: 'Servers running', value: ratio(running, servers.length), to: '/farm', bad: running < servers.length },
  ];
  return (
    <ul class="tiles">
      {tiles.map((tile) => (
        <li key={tile.name}>
          <Link to={tile.to} class={tile.bad === true ? 'tile alert' : 'tile'}>
            <span class="number">{tile.value}</span>
            <span class="muted">{tile.name}</span>
          </Link>
        </li>
      ))}
    </ul>
  );
}

function ratio(part: number, whole: number): string {
  return part === whole ? `${whole}` : `${part} of ${whole}`;
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
