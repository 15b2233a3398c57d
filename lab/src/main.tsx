import { render } from 'preact';
import { App } from './app.tsx';
import { follow, keepAddress } from './store.ts';
import './style.css';

render(<App />, document.getElementById('app') as HTMLElement);
follow(location.hash).then(keepAddress);
window.addEventListener('hashchange', () => follow(location.hash));
