import { useEvents } from './hooks.ts';
import { useHouses } from './houses.ts';
import { momentText } from './text.ts';
import { Card, Empty, Link, Page, Pill, TroubleNote } from './ui.tsx';

/** Every gateway that one may look at, with its home. */
export function GatewaysPage({ role }: { role: string }) {
  const houses = useHouses();
  useEvents('home.gateway.*', houses.reload);
  return (
    <Page title="Gateways" lead="How each gateway stands, and what to do when it does not.">
      <TroubleNote trouble={houses.trouble} />
      {houses.value?.length === 0 && (
        <Card title="No home">
          <Empty>
            {role === 'technician'
              ? 'No owner has let you in. Ask for consent: the owner gives it under Access, for a time that the owner sets.'
              : 'No home yet.'}
          </Empty>
        </Card>
      )}
      {houses.value?.map(({ home, gateways }) => (
        <Card key={home.id} title={home.name}>
          {gateways.length === 0 && <Empty>No gateway is paired.</Empty>}
          <ul class="list">
            {gateways.map((gateway) => (
              <li key={gateway.id}>
                <div class="grow">
                  <Link to={`/gateways/${gateway.id}`} class="strong">
                    {gateway.profile === 'ip-appliance' ? 'IP appliance' : 'Gateway'} {gateway.version ?? ''}
                  </Link>
                  <code class="muted cut">{gateway.id}</code>
                  {!gateway.online && gateway.seenAt !== undefined && (
                    <span class="bad-text">
                      Last seen {momentText(gateway.seenAt)}
                      {gateway.awayBecause === undefined ? '' : `: ${gateway.awayBecause}`}
                    </span>
                  )}
                </div>
                <Pill tone={gateway.online ? 'good' : 'bad'}>{gateway.online ? 'online' : 'offline'}</Pill>
              </li>
            ))}
          </ul>
        </Card>
      ))}
    </Page>
  );
}
