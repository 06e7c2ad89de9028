import { render } from 'preact';
import { App } from './app.tsx';
import { takeFragment } from './route.ts';
import './style.css';

const root = document.getElementById('app');
if (root !== null) render(<App fragment={takeFragment()} />, root);
