import { Icon } from './icon.tsx';
import { IN_REACH, placesOf } from './places.ts';
import { Card, Link, Page } from './ui.tsx';

/** On a narrow screen: the places that the bar has no room for. */
export function MorePage({ role }: { role: string }) {
  return (
    <Page title="More">
      <Card title="Places">
        <ul class="list">
          {placesOf(role)
            .slice(IN_REACH)
            .map(({ to, name, icon }) => (
              <li key={to}>
                <span class="mark">
                  <Icon name={icon} />
                </span>
                <Link to={to} class="strong grow">
                  {name}
                </Link>
              </li>
            ))}
        </ul>
      </Card>
    </Page>
  );
}
