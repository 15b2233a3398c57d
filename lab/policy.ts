/** A step of the lab's build: the page says itself what it may load, for servers that do not. */
import type { Plugin } from 'vite';
import { PAGE_POLICY, REFERRER } from '../src/cli/lab-policy.ts';

export function policy(): Plugin {
  return {
    name: 'policy',
    // a development server puts scripts of its own into the page
    apply: 'build',
    transformIndexHtml: () => [
      {
        tag: 'meta',
        attrs: { 'http-equiv': 'Content-Security-Policy', content: PAGE_POLICY },
        // before whatever it is about
        injectTo: 'head-prepend',
      },
      { tag: 'meta', attrs: { name: 'referrer', content: REFERRER }, injectTo: 'head-prepend' },
    ],
  };
}
