/** The README's benchmark section, made from the last results: what is not in the file is not claimed. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROXY_NAMES } from './proxies.js';
import { type BenchResult, describe, readLatest, type ScenarioResult, show } from './report.js';
import { checkoutRoot } from './root.js';
import { type Figure, meets } from './scenario.js';
import { markdownTable } from './table.js';

const BEGIN = '<!-- bench-results -->';
const END = '<!-- /bench-results -->';

const TITLES: Readonly<Record<string, string>> = {
  patina: 'Patina',
  nginx: 'nginx',
  varnish: 'Varnish',
  haproxy: 'HAProxy',
  trafficserver: 'Traffic Server',
};
const RATE = 'requests a second';

function figureOf(figures: readonly Figure[], subject: string, what: string): Figure | undefined {
  return figures.find((figure) => figure.subject === subject && figure.what === what);
}

/** `1.21 (1.18..1.25)`, with a mark where the target is missed. */
function ratioCell({ figures, leftOut }: ScenarioResult, rival: string): string {
  const ratio = figureOf(figures, 'patina', `ratio to ${rival}`);
  if (ratio === undefined) return leftOut.some(({ subject }) => subject === rival) ? 'not comparable' : '';
  const range = ratio.note?.split(',')[0] ?? '';
  const missed = meets(ratio) === false ? `, **missed**: ${ratio.target?.value}` : '';
  return `${show(ratio.value)} (${range}${missed})`;
}

function rateTable(scenarios: readonly ScenarioResult[], rivals: readonly string[]): string {
  const rows = scenarios.map((scenario) => {
    const rate = figureOf(scenario.figures, 'patina', RATE);
    const p99 = figureOf(scenario.figures, 'patina', 'p99');
    const own = `${Math.round(rate?.value ?? 0).toLocaleString('en')}/s, ${show(p99?.value ?? Number.NaN)} ms`;
    return [`\`${scenario.name}\``, own, ...rivals.map((rival) => ratioCell(scenario, rival))];
  });
  return markdownTable(['scenario', 'Patina, p99', ...rivals.map((rival) => `to ${TITLES[rival] ?? rival}`)], rows);
}

/** What tells more to who works on Patina than to who reads about it is in bench/results alone. */
function isShown({ what }: Figure): boolean {
  return !what.endsWith('by CPU') && !what.endsWith('second of CPU');
}

function otherTable(scenarios: readonly ScenarioResult[]): string {
  const rows = scenarios.flatMap(({ name, figures }) =>
    figures.filter(isShown).map((figure) => {
      const { target } = figure;
      const wish =
        target === undefined ? '' : `${target.is} ${target.value}${meets(figure) === true ? '' : ', **missed**'}`;
      return [
        `\`${name}\``,
        TITLES[figure.subject] ?? figure.subject,
        figure.what,
        `${show(figure.value)} ${figure.unit}`.trim(),
        wish,
      ];
    }),
  );
  return markdownTable(['scenario', 'of', 'what', 'value', 'wanted'], rows);
}

function oneLine(text: string): string {
  const MOST = 160;
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > MOST ? `${line.slice(0, MOST)}...` : line;
}

/** As Markdown. */
export function renderResults(result: BenchResult): string {
  const carriedOut = result.scenarios.filter(({ failure }) => failure === undefined);
  const rivals = PROXY_NAMES.filter((name) => name !== 'patina' && name in result.subjects);
  const isBesideRivals = ({ figures, leftOut }: ScenarioResult) =>
    figureOf(figures, 'patina', RATE) !== undefined &&
    rivals.some(
      (name) =>
        figureOf(figures, 'patina', `ratio to ${name}`) !== undefined ||
        leftOut.some(({ subject }) => subject === name),
    );
  const rates = carriedOut.filter(isBesideRivals);
  const others = carriedOut.filter((scenario) => !rates.includes(scenario));
  const abouts = result.scenarios.map(
    ({ name, about, failure, leftOut }) =>
      `- \`${name}\`: ${about}.${failure === undefined ? '' : ` **Not carried out: ${oneLine(failure)}.**`}${leftOut
        .map(({ subject, why }) => ` ${TITLES[subject] ?? subject} is not compared: ${why}.`)
        .join('')}`,
  );
  const other = others.length === 0 ? [] : [otherTable(others)];
  return [
    describe(result)
      .map((line) => `- ${line}`)
      .join('\n'),
    "Requests a second of Patina with their p99, and the ratio of Patina's rate to that of each rival: the median of interleaved pairs, least and most.",
    rateTable(rates, rivals),
    ...other,
    abouts.join('\n'),
  ].join('\n\n');
}

/** Puts the last results into the README. */
export function renewReadme(): void {
  const latest = readLatest();
  if (latest === undefined) throw new Error('there is no bench/results/latest.json: run npm run bench first');
  const file = join(checkoutRoot(), 'README.md');
  const text = readFileSync(file, 'utf8');
  const from = text.indexOf(BEGIN);
  const until = text.indexOf(END);
  if (from < 0 || until < from) throw new Error(`README.md lacks the markers ${BEGIN} and ${END}`);
  writeFileSync(file, `${text.slice(0, from + BEGIN.length)}\n\n${renderResults(latest)}\n\n${text.slice(until)}`);
}
