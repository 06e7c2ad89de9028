/** The frame: who is signed in, the navigation, and which page a path shows. */
import { useEffect, useState } from 'preact/hooks';
import { AccessPage } from './access.tsx';
import { AlarmsPage } from './alarms.tsx';
import { call, type Self, SIGNED_OUT, type Trouble } from './api.ts';
import { AppsPage } from './apps.tsx';
import { ECenterPage } from './e-center.tsx';
import { FarmPage } from './farm.tsx';
import { GatewayPage } from './gateway.tsx';
import { GatewaysPage } from './gateways.tsx';
import { HomePage } from './home.tsx';
import { HomesPage } from './homes.tsx';
import { Icon } from './icon.tsx';
import { KeysPage } from './keys.tsx';
import { LinePage } from './line.tsx';
import { MailPage } from './mail.tsx';
import { MailOne } from './mail-one.tsx';
import { MessagesPage } from './messages.tsx';
import { MorePage } from './more.tsx';
import { Overview } from './overview.tsx';
import { PairPage } from './pair.tsx';
import { firstOf, IN_REACH, placesOf } from './places.ts';
import { RecordsPage } from './records.tsx';
import { RolloutsPage } from './rollouts.tsx';
import { usePath } from './route.ts';
import { SessionPage } from './session.tsx';
import { SessionsPage } from './sessions.tsx';
import { SignIn } from './sign-in.tsx';
import { Button, Link, TroubleNote } from './ui.tsx';

export function App({ fragment }: { fragment: URLSearchParams }) {
  const path = usePath();
  const [self, setSelf] = useState<Self | 'nobody' | undefined>();
  const [trouble, setTrouble] = useState<Trouble | undefined>();
  const ask = async () => {
    setTrouble(undefined);
    const reply = await call('auth.self', {});
    if (reply.ok) setSelf(reply.value);
    else if (reply.fault.code === 'unauthorized') setSelf('nobody');
    else setTrouble(reply.fault);
  };
  const enter = async () => {
    const token = fragment.get('token');
    const reply = token === null ? undefined : await call('auth.sign-in', { token });
    if (reply?.ok !== false) return ask();
    // The link's token is not taken: the person may have another way in, and learns why this one failed.
    setTrouble(reply.fault);
    setSelf('nobody');
  };
  useEffect(() => void enter(), [fragment]);

  useEffect(() => {
    const out = () => setSelf('nobody');
    addEventListener(SIGNED_OUT, out);
    return () => removeEventListener(SIGNED_OUT, out);
  }, []);

  if (self === undefined) return <Opening trouble={trouble} onAgain={enter} />;
  if (self === 'nobody') return <SignIn pairing={path === '/pair'} trouble={trouble} onDone={ask} />;
  return (
    <div class="frame">
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <Navigation path={path} self={self} onOut={() => setSelf('nobody')} />
      <Content path={path} self={self} fragment={fragment} />
    </div>
  );
}

/** Until it is known who is signed in; where that cannot be asked, what is wrong, and another try. */
function Opening({ trouble, onAgain }: { trouble: Trouble | undefined; onAgain: () => void }) {
  if (trouble === undefined)
    return (
      <p class="loading" role="status">
        Opening Hearthline…
      </p>
    );
  document.title = 'Not open yet · Hearthline';
  return (
    <main class="door" id="main">
      <h1>Hearthline does not open yet</h1>
      <TroubleNote trouble={trouble} />
      <Button kind="main" onClick={onAgain}>
        Try again
      </Button>
    </main>
  );
}

function Navigation({ path, self, onOut }: { path: string; self: Self; onOut: () => void }) {
  const out = async () => {
    await call('auth.sign-out', {});
    onOut();
  };
  const here = (to: string) => (to === '/' ? path === '/' : path === to || path.startsWith(`${to}/`));
  const places = placesOf(self.role);
  const beyond = places.slice(IN_REACH).some(({ to }) => here(to));
  return (
    <nav class="side" aria-label="Main">
      <Link to="/" class="brand">
        <img src="/icon.svg" alt="" width="28" height="28" />
        <span>Hearthline</span>
      </Link>
      <ul>
        {places.map(({ to, name, icon }, n) => (
          <li key={to} class={n < IN_REACH ? '' : 'beyond'}>
            <Link to={to} aria-current={here(to) ? 'page' : undefined}>
              <Icon name={icon} />
              {name}
            </Link>
          </li>
        ))}
        {places.length > IN_REACH && (
          <li class="narrow-only">
            <Link to="/more" aria-current={here('/more') || beyond ? 'page' : undefined}>
              <Icon name="more" />
              More
            </Link>
          </li>
        )}
      </ul>
      <div class="me">
        <span class="muted">{self.name === self.role ? self.name : `${self.name}, ${self.role}`}</span>
        <Button kind="small" onClick={out}>
          Sign out
        </Button>
      </div>
    </nav>
  );
}

function Content({ path, self, fragment }: { path: string; self: Self; fragment: URLSearchParams }) {
  const [, room = '', id, below, one] = (path === '/' ? firstOf(self.role) : path).split('/');
  const rooms: Readonly<Record<string, () => preact.JSX.Element>> = {
    pair: () => <PairPage fragment={fragment} />,
    homes: () => {
      if (id && below === 'lines' && one) return <LinePage key={one} home={id} id={one} />;
      return id ? <HomePage key={id} id={id} self={self} /> : <HomesPage self={self} />;
    },
    sessions: () => (id ? <SessionPage key={id} id={id} /> : <SessionsPage />),
    messages: () => <MessagesPage />,
    mail: () => (id ? <MailOne key={id} id={id} /> : <MailPage />),
    apps: () => <AppsPage self={self} />,
    access: () => <AccessPage />,
    gateways: () => (id ? <GatewayPage key={id} id={id} /> : <GatewaysPage role={self.role} />),
    alarms: () => <AlarmsPage self={self} />,
    records: () => <RecordsPage />,
    updates: () => <RolloutsPage />,
    farm: () => <FarmPage self={self} />,
    keys: () => <KeysPage />,
    more: () => <MorePage role={self.role} />,
    'e-center': () => <ECenterPage self={self} />,
  };
  const show = Object.hasOwn(rooms, room) ? rooms[room] : undefined;
  return show === undefined ? <Overview self={self} /> : show();
}
