import { render } from 'preact';
import { App } from './app.tsx';
import { takeFragment } from './route.ts';
import './style/base.css';
import './style/frame.css';
import './style/cards.css';
import './style/forms.css';
import './style/pages.css';
import './style/rooms.css';
import './style/narrow.css';

const root = document.getElementById('app');
if (root !== null) render(<App fragment={takeFragment()} />, root);

// A link with a token or a pairing code that is opened while the portal is open only changes the fragment.
addEventListener('hashchange', () => {
  if (/^#(token|code)=/.test(location.hash)) location.reload();
});
