/** `patina test`: the cases of a file against a conf file. */
import { systemClock } from '../base/clock.js';
import { ConfigError } from '../base/errors.js';
import { loadConfig } from '../config/load.js';
import { makeRules } from '../config/rules.js';
import { missesOf, readCases } from '../explain/cases.js';
import { complainOf, overridesOf } from './check.js';
import { type CommandSpec, type Given, lastValue, type Shell, UsageError } from './command.js';

function run(given: Given, shell: Shell): Promise<number> {
  const [cases] = given.operands;
  if (cases === undefined) throw new UsageError('test: expected the FILE of cases');
  const conf = lastValue(given, 'config');
  let reading = cases;
  try {
    const { cases: all, placeOf } = readCases(cases);
    reading = conf ?? '';
    const rules = makeRules(loadConfig({ file: conf, overrides: overridesOf(given) }));
    const wall = systemClock().wall();
    let failed = 0;
    for (const [index, one] of all.entries()) {
      const misses = missesOf(one, rules, { now: wall, wall });
      if (misses.length > 0) failed++;
      shell.say(`${misses.length === 0 ? 'ok  ' : 'FAIL'}  ${one.name}`);
      for (const { key, expected, found } of misses) {
        shell.say(`      ${placeOf(index, key.split('.', 1)[0] ?? key)}: ${key}: expected ${expected}, found ${found}`);
      }
    }
    shell.say(`${all.length - failed} passed, ${failed} failed`);
    return Promise.resolve(failed === 0 ? 0 : 1);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    complainOf(error.problems, reading === '' ? undefined : reading, shell.complain);
    return Promise.resolve(2);
  }
}

export const TEST: CommandSpec = {
  name: 'test',
  usage: 'FILE [--config FILE]',
  summary: 'runs the cases of a file against the rules of a conf file',
  maxOperands: 1,
  flags: [
    { name: 'config', takes: 'FILE', doc: 'the conf file; without one the headers of the origin decide' },
    { name: 'set', takes: 'KEY.PATH=VALUE', doc: 'an option over the file; may be given again' },
  ],
  doc: [
    'A case: {name, request: {method, url, headers}, response: {status, headers}, after: 10s, expect: {...}}, where',
    'expect may have rule, key, stored, fresh, grace, keep, now (hit, stale, validate, miss, pass, not-found), reason,',
    'client and origin (fields; null: not there). conf/patina.test.yaml is an example.',
    'Exit code 0: all hold; 1: one does not; 2: a file cannot be read.',
  ],
  run,
};
