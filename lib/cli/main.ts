#!/usr/bin/env node
/** The `patina` program: what V8 is to be told before it reads the rest, and then the rest. */
import { tuneCollector } from '../base/collector.js';

tuneCollector(1);
// What is imported outright would be read before that.
await import('./patina.js');
