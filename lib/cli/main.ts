#!/usr/bin/env node
/** The `patina` program: what V8 is to be told before it reads the rest, and then the rest. */
import { keepYoungSmall } from '../base/young.js';

keepYoungSmall();
// What is imported outright would be read before that.
await import('./patina.js');
