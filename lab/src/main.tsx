import { render } from 'preact';
import { App } from './app.tsx';
import { keepOffline } from './offline.ts';
import { follow, introducing, keepAddress } from './store.ts';
import { newcomer } from './visited.ts';
import './style.css';

render(<App />, document.getElementById('app') as HTMLElement);
// whoever follows a link wants to see what it shows
introducing.value = location.hash === '' && newcomer();
follow(location.hash).then(keepAddress);
keepOffline();
window.addEventListener('hashchange', () => follow(location.hash));
