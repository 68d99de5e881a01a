// Goal: every flag means what --help says, and what is not known is refused with a hint. Method: a table of command lines.
import t from 'tap';
import { FLAGS, parseArguments } from '../../lib/cli/arguments.js';
import { EXIT_CODES, helpText } from '../../lib/cli/help.js';

t.test('section 7: patina [run] takes its flags in any order, and the last one counts', async (t) => {
  const run = { kind: 'run', file: undefined, overrides: [], isWatching: false };
  t.same(parseArguments([]), run);
  t.same(parseArguments(['run']), run);
  t.same(parseArguments(['--config', 'a.yaml', 'run', '--config=b.yaml']), { ...run, file: 'b.yaml' });
  t.same(parseArguments(['--origin', 'http://a', '--listen=:80', '--admin', 'off', '--set', 'defaults.ttl=5s']), {
    ...run,
    overrides: [
      { path: ['origin', 'url'], value: 'http://a', flag: '--origin http://a' },
      { path: ['listen'], value: ':80', flag: '--listen :80' },
      { path: ['admin', 'listen'], value: 'off', flag: '--admin off' },
      { path: ['defaults', 'ttl'], value: '5s', flag: '--set defaults.ttl=5s' },
    ],
  });
});

t.test('--help and --version come before running', async (t) => {
  t.same(parseArguments(['--help']), { kind: 'help', of: undefined });
  t.same(parseArguments(['-h']), { kind: 'help', of: undefined });
  t.same(parseArguments(['run', '--version', '--listen', '80']), { kind: 'version' });
});

t.test('a command line that is wrong is told in full', async (t) => {
  const table: [string[], (string | RegExp)[]][] = [
    [['rnu'], ['unknown command "rnu": did you mean run?']],
    [['zzzz'], [/unknown command "zzzz": expected run, .*help/]],
    [['run', 'run'], ['unexpected "run"']],
    [['p.yaml'], ['unexpected "p.yaml": a conf file is named by --config FILE']],
    [
      ['--lsten', '80'],
      ['unknown flag "--lsten": did you mean --listen?', /unknown command "80": expected run, .*help/],
    ],
    [
      ['-x'],
      [
        'unknown flag "-x": expected --config, --origin, --listen, --admin, --workers, --set, --watch, --help, --version',
      ],
    ],
    [
      ['--constructor'],
      [
        'unknown flag "--constructor": expected --config, --origin, --listen, --admin, --workers, --set, --watch, --help, --version',
      ],
    ],
    [['--config'], ['--config: expected FILE after it']],
    [['--config='], ['--config: expected FILE after it']],
    [
      ['--origin', '--listen', '80'],
      ['--origin: expected URL after it', /unknown command "80": expected run, .*help/],
    ],
    [['--help=yes'], ['--help takes no value']],
    [['--set', 'x'], ['--set x: expected key.path=value such as defaults.grace=1h']],
    [
      ['--set', 'a=[', '--set', 'b'],
      ['--set a=[: ', '--set b: '],
    ],
  ];
  for (const [args, problems] of table) {
    const command = parseArguments(args);
    t.equal(command.kind, 'wrong', args.join(' '));
    if (command.kind !== 'wrong') continue;
    t.equal(command.problems.length, problems.length, command.problems.join(' / '));
    t.match(command.problems, problems, args.join(' '));
  }
});

t.test('--help names every flag and every exit code', async (t) => {
  const help = helpText();
  for (const { name, takes } of FLAGS)
    t.ok(help.includes(`  --${name}${takes === undefined ? '' : ` ${takes}`}`), name);
  for (const [code, meaning] of EXIT_CODES) t.ok(help.includes(`  ${code}  ${meaning}`), String(code));
});
