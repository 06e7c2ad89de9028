/** The network portal: applications to be found, read about, allowed, installed, updated and removed. */
import { useState } from 'preact/hooks';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { call, type Self } from './api.ts';
import { HomeField } from './home-field.tsx';
import { useAction, useLoad } from './hooks.ts';
import { type House, useHouses } from './houses.ts';
import { Installs } from './installs.tsx';
import { RightsList } from './rights.tsx';
import { Button, Card, Empty, Page, TroubleNote } from './ui.tsx';

export type Entry = VerbReply<'catalogue.list'>['items'][number];

export function AppsPage({ self }: { self: Self }) {
  const houses = useHouses(self.role !== 'developer');
  const catalogue = useLoad('catalogue', () => call('catalogue.list', { limit: 100 }), 30_000);
  const [home, setHome] = useState<string | undefined>();
  const chosen = houses.value?.find((house) => house.home.id === home) ?? houses.value?.[0];
  const [turn, setTurn] = useState(0);
  const changed = () => setTurn((n) => n + 1);
  return (
    <Page
      title="Apps"
      lead="Each app has a half in the cloud and a half on your gateway, and does only what you allow."
    >
      <TroubleNote trouble={catalogue.trouble ?? houses.trouble} />
      {houses.value !== undefined && houses.value.length > 1 && (
        <HomeChoice houses={houses.value} home={chosen?.home.id} choose={setHome} />
      )}
      {chosen !== undefined && <Installs key={`${chosen.home.id} ${turn}`} home={chosen.home} />}
      <Card title="Catalogue">
        {catalogue.value?.items.length === 0 && <Empty>Nothing is published yet.</Empty>}
        <ul class="list">
          {catalogue.value?.items.map((entry) => (
            <CatalogueRow key={entry.app} entry={entry} house={chosen} installed={changed} />
          ))}
        </ul>
      </Card>
    </Page>
  );
}

function HomeChoice({
  houses,
  home,
  choose,
}: {
  houses: readonly House[];
  home: string | undefined;
  choose: (home: string) => void;
}) {
  return (
    <div class="row narrow-row">
      <HomeField label="For" houses={houses} value={home} choose={choose} />
    </div>
  );
}

/** One application: what it is, what it would be allowed to do, and the tap that installs it. */
function CatalogueRow({ entry, house, installed }: { entry: Entry; house: House | undefined; installed: () => void }) {
  const [open, setOpen] = useState(false);
  const action = useAction();
  const install = async () => {
    if (house === undefined) return;
    const consent = entry.rights.map((right) => right.key);
    const made = await action.run(() =>
      call('install.create', { home: house.home.id, app: entry.app, version: entry.version, consent }),
    );
    if (made === undefined) return;
    setOpen(false);
    installed();
  };
  return (
    <li>
      <div class="grow">
        <span class="strong">{entry.name}</span>
        <span>{entry.about}</span>
        <span class="muted">
          version {entry.version} · {entry.halves.join(' and ')}
        </span>
      </div>
      {house !== undefined && (
        <Button kind="small" onClick={() => setOpen(!open)} aria-expanded={open} aria-label={`Install ${entry.name}`}>
          Install
        </Button>
      )}
      {open && house !== undefined && (
        <div class="note wide">
          <p>
            <strong>{entry.name}</strong> in {house.home.name} will be allowed to:
          </p>
          <RightsList rights={entry.rights} />
          <p class="muted">You can take it back at any time by removing the app.</p>
          <div class="row">
            <Button kind="main" busy={action.busy} onClick={() => void install()}>
              Allow and install
            </Button>
            <Button onClick={() => setOpen(false)}>Not now</Button>
          </div>
          <TroubleNote trouble={action.trouble} />
        </div>
      )}
    </li>
  );
}
