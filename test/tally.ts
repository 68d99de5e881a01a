/**
 * Counts what a TAP stream says, by claim: the innermost titled test counts once, however many assertions it makes.
 * A test file that crashed, ran out of time or made no claim at all is a failure too.
 */

export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

/** What became of one test file, once its last line was read. */
export interface FileReport extends Tally {
  readonly name: string;
  /** Lines to show: each failed assertion with its diagnosis. */
  readonly complaints: readonly string[];
}

/** A test that has begun and not ended, at its depth of nesting. */
interface Open {
  readonly indent: number;
  readonly name: string;
  readonly tally: Tally;
  hasInner: boolean;
}

const POINT = /^( *)(not ok|ok)(?= |$)(?: \d+)?(?: - )?(.*)$/;
const SUBTEST = /^( *)# Subtest: (.*)$/;
const SKIPPED = / # (?:SKIP|TODO)\b/i;

function add(to: Tally, from: Tally): void {
  to.passed += from.passed;
  to.failed += from.failed;
  to.skipped += from.skipped;
}

/** Reads a TAP stream line by line. */
export class TapReader {
  readonly total: Tally = { passed: 0, failed: 0, skipped: 0 };
  readonly #open: Open[] = [];
  readonly #onFile: (report: FileReport) => void;
  #complaints: string[] = [];
  /** A file whose last line was read; what tap says of it may follow. */
  #ended: FileReport | undefined;
  #isInDiagnosis = false;
  #isDiagnosisShown = false;
  #diagnosisEnd = '';

  constructor(onFile: (report: FileReport) => void) {
    this.#onFile = onFile;
  }

  line(line: string): void {
    if (this.#isInDiagnosis) {
      if (this.#isDiagnosisShown) this.#complaints.push(line);
      if (line === this.#diagnosisEnd) this.#isInDiagnosis = false;
      return;
    }
    if (line.trim() === '---') {
      this.#isInDiagnosis = true;
      this.#diagnosisEnd = line.replace('---', '...');
      return;
    }
    const subtest = SUBTEST.exec(line);
    if (subtest !== null || POINT.test(line)) this.flush();
    if (subtest !== null) this.#begin(subtest[1]?.length ?? 0, subtest[2] ?? '');
    const point = POINT.exec(line);
    if (point !== null) this.#point(point[1]?.length ?? 0, point[2] === 'ok', point[3] ?? '', line);
  }

  /** Reports the last file. Call it at the end of the stream. */
  flush(): void {
    const ended = this.#ended;
    if (ended === undefined) return;
    this.#ended = undefined;
    this.#complaints = [];
    this.#onFile(ended);
  }

  #begin(indent: number, name: string): void {
    const outer = this.#open.at(-1);
    if (outer !== undefined) outer.hasInner = true;
    this.#open.push({ indent, name, tally: { passed: 0, failed: 0, skipped: 0 }, hasInner: false });
  }

  #point(indent: number, isOk: boolean, title: string, line: string): void {
    const isSkipped = SKIPPED.test(title);
    const innermost = this.#open.at(-1);
    const closes = innermost?.indent === indent;
    // The summary of a test or file whose assertions were shown adds nothing.
    this.#isDiagnosisShown = !isOk && !isSkipped && (!closes || innermost.tally.failed === 0);
    if (this.#isDiagnosisShown) {
      const titles = this.#open.slice(1, closes ? -1 : undefined).map(({ name }) => name);
      this.#complaints.push([...titles, line.trim()].join('\n  '));
    }
    if (closes) this.#end(isOk, isSkipped);
    else if (innermost !== undefined) this.#assertion(innermost, isOk, isSkipped);
  }

  /** An assertion counts for itself only where no titled test is around it. */
  #assertion(around: Open, isOk: boolean, isSkipped: boolean): void {
    const isAtTopOfFile = this.#open.length === 1;
    if (isAtTopOfFile) add(around.tally, verdict(isOk, isSkipped));
    else if (!isOk && !isSkipped) around.tally.failed = 1;
  }

  #end(isOk: boolean, isSkipped: boolean): void {
    const ended = this.#open.pop();
    if (ended === undefined) return;
    const outer = this.#open.at(-1);
    if (outer === undefined) this.#endFile(ended, isOk);
    else if (!ended.hasInner) add(outer.tally, verdict(isOk && ended.tally.failed === 0, isSkipped));
    else {
      add(outer.tally, ended.tally);
      if (!isOk && ended.tally.failed === 0) outer.tally.failed += 1;
    }
  }

  #endFile({ name, tally }: Open, isOk: boolean): void {
    if (tally.passed + tally.failed + tally.skipped === 0) {
      tally.failed = 1;
      if (isOk) this.#complaints.push('no test ran in this file');
    } else if (!isOk && tally.failed === 0) tally.failed = 1;
    add(this.total, tally);
    this.#ended = { name, ...tally, complaints: this.#complaints };
  }
}

function verdict(isOk: boolean, isSkipped: boolean): Tally {
  return { passed: isOk && !isSkipped ? 1 : 0, failed: isOk || isSkipped ? 0 : 1, skipped: isSkipped ? 1 : 0 };
}

/** The closing line of a run. */
export function closingLine({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
