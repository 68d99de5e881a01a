/** All scenarios, in the order in which they run. */
import type { Scenario } from '../kit/scenario.js';
import { cold } from './cold.js';
import { failing } from './failing.js';
import { freshen } from './freshen.js';
import { hit } from './hit.js';
import { hung } from './hung.js';
import { storm } from './storm.js';

export const SCENARIOS: readonly Scenario[] = [storm, hung, cold, freshen, failing, hit];
