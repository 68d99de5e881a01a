/**
 * Counts what the TAP of one test file says, by claim: the innermost titled test counts once, however many assertions
 * it makes. A file that crashed, ran out of time or made no claim at all is a failure too.
 */

export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

/** What became of one test file. */
export interface FileReport extends Tally {
  /** Lines to show: each failed assertion with its diagnosis, and how the file itself failed. */
  readonly complaints: readonly string[];
}

/** A titled test that has begun and not ended. */
interface Open {
  readonly indent: number;
  readonly name: string;
  readonly tally: Tally;
  hasInner: boolean;
}

const POINT = /^( *)(not ok|ok)(?= |$)(?: \d+)?(?: - )?(.*)$/;
const SUBTEST = /^( *)# Subtest: (.*)$/;
const SKIPPED = / # (?:SKIP|TODO)\b/i;

export function noTally(): Tally {
  return { passed: 0, failed: 0, skipped: 0 };
}

export function addTally(to: Tally, from: Tally): void {
  to.passed += from.passed;
  to.failed += from.failed;
  to.skipped += from.skipped;
}

/** Reads the TAP of one file line by line. */
export class TapReader {
  readonly #total = noTally();
  readonly #open: Open[] = [];
  readonly #complaints: string[] = [];
  /** The line that ends the diagnosis being read. */
  #diagnosisEnd: string | undefined;
  #isDiagnosisShown = false;

  line(line: string): void {
    if (this.#diagnosisEnd !== undefined) {
      if (this.#isDiagnosisShown) this.#complaints.push(line);
      if (line === this.#diagnosisEnd) this.#diagnosisEnd = undefined;
      return;
    }
    if (line.trim() === '---') {
      this.#diagnosisEnd = line.replace('---', '...');
      return;
    }
    const subtest = SUBTEST.exec(line);
    const point = POINT.exec(line);
    if (subtest !== null) this.#begin(subtest[1]?.length ?? 0, subtest[2] ?? '');
    else if (point !== null) this.#point(point[1]?.length ?? 0, point[2] === 'ok', point[3] ?? '', line.trim());
  }

  /** The file has ended; `failure` says how, where it did not end well. */
  end(failure: string | undefined): FileReport {
    const { passed, failed, skipped } = this.#total;
    const isSilent = passed + failed + skipped === 0;
    const complaints = [...this.#complaints];
    // A failed claim makes the exit code that its file ends with: it is counted and shown already.
    const isNews = failure !== undefined && failed === 0;
    if (isNews) complaints.push(...this.#open.map(({ name }) => `in: ${name}`), failure);
    if (isSilent) complaints.push('no test ran in this file');
    return { passed, failed: failed + (isNews || isSilent ? 1 : 0), skipped, complaints };
  }

  #begin(indent: number, name: string): void {
    const outer = this.#open.at(-1);
    if (outer !== undefined) outer.hasInner = true;
    this.#open.push({ indent, name, tally: noTally(), hasInner: false });
  }

  #point(indent: number, isOk: boolean, title: string, shown: string): void {
    const isSkipped = SKIPPED.test(title);
    const innermost = this.#open.at(-1);
    const closes = innermost?.indent === indent;
    // The summary of a test whose assertions were shown adds nothing.
    this.#isDiagnosisShown = !isOk && !isSkipped && (!closes || innermost.tally.failed === 0);
    if (this.#isDiagnosisShown) {
      const titles = this.#open.slice(0, closes ? -1 : undefined).map(({ name }) => name);
      this.#complaints.push([...titles, shown].join('\n  '));
    }
    const verdict = verdictOf(isOk, isSkipped);
    if (innermost === undefined) addTally(this.#total, verdict);
    else if (closes) this.#close(innermost, verdict);
    else if (verdict.failed > 0) innermost.tally.failed = 1;
  }

  #close(ended: Open, verdict: Tally): void {
    this.#open.pop();
    const around = this.#open.at(-1)?.tally ?? this.#total;
    if (!ended.hasInner) addTally(around, verdict);
    else {
      addTally(around, ended.tally);
      if (verdict.failed > 0 && ended.tally.failed === 0) around.failed += 1;
    }
  }
}

function verdictOf(isOk: boolean, isSkipped: boolean): Tally {
  return { passed: isOk && !isSkipped ? 1 : 0, failed: isOk || isSkipped ? 0 : 1, skipped: isSkipped ? 1 : 0 };
}

/** The closing line of a run. */
export function closingLine({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
