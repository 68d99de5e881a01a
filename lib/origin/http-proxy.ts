/** Loads http-proxy, the one file that does. Its 1.18 calls util._extend, of which Node 22 and later warn; users must see no such warning. */
import { createRequire } from 'node:module';
import type { ProxyServer } from './http-proxy-types.js';

const require = createRequire(import.meta.url);

function load(): { createProxyServer(options: object): ProxyServer } {
  const util = require('node:util') as object;
  const original = Object.getOwnPropertyDescriptor(util, '_extend');
  // It takes its own reference while it loads; nobody else sees this one.
  Object.defineProperty(util, '_extend', { value: Object.assign, configurable: true, writable: true });
  try {
    return require('http-proxy') as { createProxyServer(options: object): ProxyServer };
  } finally {
    if (original === undefined) Reflect.deleteProperty(util, '_extend');
    else Object.defineProperty(util, '_extend', original);
  }
}

export const { createProxyServer } = load();
