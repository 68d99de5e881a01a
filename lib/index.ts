/** The public door: what a program that embeds Patina may use. */
export { type Clock, systemClock, type Timer } from './base/clock.js';
export { ConfigError } from './base/errors.js';
export { type LoadOptions, loadConfig } from './config/load.js';
export { type Config, type ConfigSettings, hasOrigin, withOrigin } from './config/schema.js';
export type { AnsweredEvent, AskedEvent, Events, Outcome } from './observe/events.js';
export { createProxy, type Proxy, type ProxyOptions } from './proxy.js';
