/** The frame: who is signed in, the navigation, and which page a path shows. */
import { useEffect, useState } from 'preact/hooks';
import { call, type Self, SIGNED_OUT } from './api.ts';
import { FarmPage } from './farm.tsx';
import { HomePage } from './home.tsx';
import { HomesPage } from './homes.tsx';
import { Icon } from './icon.tsx';
import { Overview } from './overview.tsx';
import { PairPage } from './pair.tsx';
import { RecordsPage } from './records.tsx';
import { usePath } from './route.ts';
import { SessionPage } from './session.tsx';
import { SessionsPage } from './sessions.tsx';
import { SignIn } from './sign-in.tsx';
import { Button, Link } from './ui.tsx';

const places = [
  { to: '/', name: 'Overview', icon: 'overview' },
  { to: '/homes', name: 'Homes', icon: 'homes' },
  { to: '/sessions', name: 'Sessions', icon: 'sessions' },
  { to: '/records', name: 'Records', icon: 'records' },
  { to: '/farm', name: 'Servers', icon: 'servers' },
] as const;

export function App({ fragment }: { fragment: URLSearchParams }) {
  const path = usePath();
  const [self, setSelf] = useState<Self | 'nobody' | undefined>();
  const ask = async () => {
    const reply = await call('auth.self', {});
    setSelf(reply.ok ? reply.value : 'nobody');
  };
  useEffect(() => {
    const token = fragment.get('token');
    void (token === null ? ask() : call('auth.sign-in', { token }).then(ask));
  }, [fragment]);

  useEffect(() => {
    const out = () => setSelf('nobody');
    addEventListener(SIGNED_OUT, out);
    return () => removeEventListener(SIGNED_OUT, out);
  }, []);

  if (self === undefined)
    return (
      <p class="loading" role="status">
        Opening Hearthline…
      </p>
    );
  if (self === 'nobody') return <SignIn pairing={path === '/pair'} onDone={ask} />;
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

function Navigation({ path, self, onOut }: { path: string; self: Self; onOut: () => void }) {
  const out = async () => {
    await call('auth.sign-out', {});
    onOut();
  };
  const here = (to: string) => (to === '/' ? path === '/' : path === to || path.startsWith(`${to}/`));
  return (
    <nav class="side" aria-label="Main">
      <Link to="/" class="brand">
        <img src="/icon.svg" alt="" width="28" height="28" />
        <span>Hearthline</span>
      </Link>
      <ul>
        {places.map(({ to, name, icon }) => (
          <li key={to}>
            <Link to={to} aria-current={here(to) ? 'page' : undefined}>
              <Icon name={icon} />
              {name}
            </Link>
          </li>
        ))}
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
  const [, room, id] = path.split('/');
  if (room === 'pair') return <PairPage fragment={fragment} />;
  if (room === 'homes') return id ? <HomePage key={id} id={id} self={self} /> : <HomesPage self={self} />;
  if (room === 'sessions') return id ? <SessionPage key={id} id={id} /> : <SessionsPage />;
  if (room === 'records') return <RecordsPage />;
  if (room === 'farm') return <FarmPage self={self} />;
  return <Overview self={self} />;
}
