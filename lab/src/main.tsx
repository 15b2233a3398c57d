import { render } from 'preact';
import { App } from './app.tsx';
import { newcomer } from './explain/visited.ts';
import { keepOffline } from './offline.ts';
import { keepAddress } from './store/address.ts';
import { takeFiles } from './store/files.ts';
import { follow } from './store/opening.ts';
import { setIntroducing } from './store/state.ts';
import './style.css';

render(<App />, document.getElementById('app') as HTMLElement);
// whoever follows a link wants to see what it shows
setIntroducing(location.hash === '' && newcomer());
follow(location.hash).then(keepAddress);
keepOffline();
takeFiles();
window.addEventListener('hashchange', () => follow(location.hash));
