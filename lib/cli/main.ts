#!/usr/bin/env node
/** The `patina` program: what V8 is to be told before it reads the rest, and then the rest. */
import { systemClock } from '../base/clock.js';
import { keepYoungSmall } from '../base/young.js';

keepYoungSmall(systemClock());
// What is imported outright would be read before that.
await import('./patina.js');
