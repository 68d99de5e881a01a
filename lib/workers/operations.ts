/** The operations of operators on all workers at once: done when each has done its share. */
import { NobodyServesError, type OperationDoor, type PushDoor } from '../admin/operate.js';
import { ConfigError } from '../base/errors.js';
import { WORKER_ANSWER_TIMEOUT_MS, WORKER_OPERATION_TIMEOUT_MS } from '../base/worker-limits.js';
import type {
  Counts,
  PendingTier,
  PushCounts,
  PushedHead,
  RefreshEnd,
  RefreshOrder,
  RefreshRun,
  Refused,
  Target,
} from '../engine/operations.js';
import { Counted } from './counted.js';
import type { Answer, Asked, QuestionName, ToPrimary } from './messages.js';
import type { Member } from './supervisor.js';

/** A refresh that goes on in workers. */
class Run {
  /** How many have ended how, in all of them. */
  readonly told: Partial<Record<RefreshEnd, number>> = {};
  readonly over: Promise<void>;
  readonly #ends = new Map<number, Readonly<Partial<Record<RefreshEnd, number>>>>();
  readonly #ended = new Set<number>();
  #expected: readonly number[] | undefined;
  #settle: () => void = () => {};

  constructor() {
    this.over = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  /** It goes on in these; some may have ended already. */
  expect(members: readonly number[]): void {
    this.#expected = members;
    this.#endIfOver();
  }

  progress(member: number, ends: Readonly<Partial<Record<RefreshEnd, number>>>): void {
    this.#ends.set(member, ends);
    const sums: Partial<Record<RefreshEnd, number>> = {};
    for (const each of this.#ends.values()) {
      for (const [end, count] of Object.entries(each) as [RefreshEnd, number][]) sums[end] = (sums[end] ?? 0) + count;
    }
    Object.assign(this.told, sums);
  }

  ended(member: number): void {
    this.#ended.add(member);
    this.#endIfOver();
  }

  get isOver(): boolean {
    return this.#expected?.every((member) => this.#ended.has(member)) === true;
  }

  #endIfOver(): void {
    if (this.isOver) this.#settle();
  }
}

interface Answered<Q extends QuestionName> {
  readonly member: Member;
  readonly answer: Answer<Q>;
}

export class WholeOperations implements OperationDoor {
  readonly #members: () => readonly Member[];
  readonly #all: () => readonly Member[];
  readonly #runs = new Map<number, Run>();
  #sequence = 0;
  #nextId = 1;

  /** `members`: those that serve; `all`: also those that are about to. */
  constructor(members: () => readonly Member[], all: () => readonly Member[]) {
    this.#members = members;
    this.#all = all;
  }

  /** Operations so far. */
  get sequence(): number {
    return this.#sequence;
  }

  purge(target: Target): Promise<Counts | undefined> {
    return this.#operate('purge', target);
  }

  expire(target: Target): Promise<Counts | undefined> {
    return this.#operate('expire', target);
  }

  async #operate(operation: 'purge' | 'expire', target: Target): Promise<Counts | undefined> {
    const sequence = ++this.#sequence;
    const asked = { operation, target, sequence };
    const members = this.#members();
    const [first] = members;
    const counts = await askEach(
      members,
      'operate',
      (member) => ({ ...asked, isQuiet: member !== first }),
      WORKER_OPERATION_TIMEOUT_MS,
    );
    const isTold = await this.#tellMachines(first, asked, counts);
    // Those that have come to serve meanwhile may have taken up from disk what was not done there yet. Who comes after this
    // finds it done.
    const late = this.#members().filter((member) => !counts.some((one) => one.member === member));
    counts.push(...(await askEach(late, 'operate', { ...asked, isQuiet: true }, WORKER_OPERATION_TIMEOUT_MS)));
    const counted = new Counted();
    const pending = new Set<PendingTier>();
    let fills: number | undefined;
    for (const { answer } of counts) {
      if (answer === null) continue;
      counted.add(answer.digests, answer.further);
      fills = (fills ?? 0) + answer.fills;
      for (const tier of answer.pending ?? []) pending.add(tier);
    }
    if (isTold) pending.delete('shared');
    if (fills === undefined) return undefined;
    return { objects: counted.count, fills, ...(pending.size === 0 ? {} : { pending: [...pending].sort() }) };
  }

  /**
   * Sees to it that one of them has told other machines: `first` was to. Where that one died, nobody knows whether it had; where it
   * has no way to them just now, it tells them once it has, and another may do so at once. What one answers that was to do it quietly
   * says nothing of other machines. Returns whether they are told. Rejects where nobody lives to tell them.
   */
  async #tellMachines(
    first: Member | undefined,
    asked: Omit<Asked<'operate'>, 'isQuiet'>,
    counts: Answered<'operate'>[],
  ): Promise<boolean> {
    const tried = new Set<Member>();
    const loud = { ...asked, isQuiet: false };
    let isOwed = false;
    for (let teller = first; teller !== undefined; teller = this.#members().find((member) => !tried.has(member))) {
      tried.add(teller);
      const isFirst = teller === first;
      const told = isFirst
        ? counts.filter(({ member }) => member === first)
        : await askUnlessGone(teller, 'operate', loud, WORKER_OPERATION_TIMEOUT_MS);
      if (!isFirst) counts.push(...told);
      for (const { answer } of told) {
        if (answer?.pending?.includes('shared') !== true) return true;
        isOwed = true;
      }
    }
    if (!isOwed) throw new NobodyServesError(`${asked.operation}: no worker serves`);
    return false;
  }

  /** A request that went by one worker changed what is stored for these: it has done its share already. */
  invalidated(by: Member, urls: readonly string[]): void {
    const sequence = ++this.#sequence;
    // Who is about to serve would find on disk what is not yet taken away there.
    for (const member of this.#all()) {
      member.channel.tell({ kind: 'invalidate', keys: member === by ? [] : urls, sequence });
    }
  }

  async refresh(target: Target, { fill }: RefreshOrder): Promise<RefreshRun | 'busy' | undefined> {
    const id = this.#nextId++;
    const run = new Run();
    this.#runs.set(id, run);
    // One after another, so that none asks about what another does: the others hear of what comes of it.
    const counted = new Counted();
    const going: number[] = [];
    let objects = 0;
    let isBusy = false;
    let hasAnswered = false;
    for (const member of this.#members()) {
      const asked = { target, fill: false, run: id, others: counted.digests };
      for (const { answer } of await askUnlessGone(member, 'refresh', asked, WORKER_OPERATION_TIMEOUT_MS)) {
        hasAnswered = true;
        isBusy ||= answer === 'busy';
        if (answer === null || answer === 'busy') continue;
        objects += answer.objects;
        counted.add(answer.digests, answer.further);
        going.push(member.id);
      }
    }
    this.#expect(id, run, going);
    if (!hasAnswered) throw new NobodyServesError('refresh: no worker serves');
    if (going.length === 0) return isBusy ? 'busy' : undefined;
    // One asks for what nobody has.
    const [one] = this.#members();
    if (fill && objects === 0 && one !== undefined) return this.#fill(one, target);
    return { objects, ends: run.told, over: run.over.then(() => this.#heard()) };
  }

  async #fill(member: Member, target: Target): Promise<RefreshRun | 'busy' | undefined> {
    const id = this.#nextId++;
    const run = new Run();
    this.#runs.set(id, run);
    const asked = { target, fill: true, run: id, others: new Counted().digests };
    const begun = await member.channel.ask('refresh', asked, WORKER_OPERATION_TIMEOUT_MS);
    const isGoing = begun !== null && begun !== 'busy';
    this.#expect(id, run, isGoing ? [member.id] : []);
    const over = run.over.then(() => this.#heard());
    return isGoing ? { objects: begun.objects, ends: run.told, over } : (begun ?? undefined);
  }

  /** Resolves once all have heard what they were told before: what came of a refresh holds in each. */
  async #heard(): Promise<void> {
    // Who does not answer is replaced, or about to be.
    await askEach(this.#members(), 'holds', { places: [] }, WORKER_ANSWER_TIMEOUT_MS).catch(() => {});
  }

  #expect(id: number, run: Run, members: readonly number[]): void {
    run.expect(members);
    if (run.isOver) this.#runs.delete(id);
  }

  /** How the refreshes of a worker go. */
  refreshed(member: Member, { run: id, ends, isOver }: ToPrimary & { kind: 'refreshed' }): void {
    const run = this.#runs.get(id);
    run?.progress(member.id, ends);
    if (isOver) run?.ended(member.id);
    if (run?.isOver === true) this.#runs.delete(id);
  }

  /** A worker died, and its refreshes with it. */
  gone(member: Member): void {
    for (const [id, run] of this.#runs) {
      run.ended(member.id);
      if (run.isOver) this.#runs.delete(id);
    }
  }

  /** The same body to each: what is pushed may be had from nowhere else. */
  async update(url: string, head: PushedHead): Promise<PushDoor | Refused> {
    const push = this.#nextId++;
    const { fields, selecting, ...more } = head;
    const wire = { ...more, fields: [...fields.raw], selecting: [...selecting.raw] };
    const takers = [...this.#members()];
    const fail = (): void => {
      for (const member of takers) member.channel.tell({ kind: 'pushFail', push });
    };
    const orEnd = <T extends Refused | object>(refused: T | undefined): T | undefined => {
      if (refused !== undefined) fail();
      return refused;
    };
    const orThrow = (error: unknown): never => {
      fail();
      throw error;
    };
    const opening = askEach(takers, 'push', { push, url, head: wire }, WORKER_ANSWER_TIMEOUT_MS);
    const begun = await opening.catch(orThrow);
    if (begun.length === 0) throw new NobodyServesError('update: no worker serves');
    const refused = orEnd(firstRefusal(begun.map(({ answer }) => answer)));
    if (refused !== undefined) return refused;
    return {
      write: async (bytes) => {
        const taken = await askEach(takers, 'pushBytes', { push, bytes }, WORKER_ANSWER_TIMEOUT_MS);
        return orEnd(firstRefusal(taken.map(({ answer }) => answer)));
      },
      // One that lives and does not answer keeps the others from being asked: none of them may keep what it has of it.
      end: () => this.#endPush(url, push, takers).catch(orThrow),
      fail,
    };
  }

  async #endPush(url: string, push: number, takers: readonly Member[]): Promise<PushCounts | Refused> {
    // Who has come to serve meanwhile does not get it, but must not go on with what it takes the place of.
    const late = this.#members().filter((member) => !takers.includes(member));
    const purge = { operation: 'purge', target: { kind: 'url', url }, sequence: ++this.#sequence } as const;
    await askEach(late, 'operate', { ...purge, isQuiet: true }, WORKER_OPERATION_TIMEOUT_MS);
    const each = { push, sequence: ++this.#sequence };
    const rest = [...takers];
    const made: Answered<'pushEnd'>[] = [];
    // The first one that lives through it has told other machines: whether one that died had, went with it.
    while (made.length === 0) {
      const teller = rest.shift();
      if (teller === undefined) throw new NobodyServesError('update: no worker serves');
      made.push(...(await askUnlessGone(teller, 'pushEnd', { ...each, isQuiet: false }, WORKER_OPERATION_TIMEOUT_MS)));
    }
    made.push(...(await askEach(rest, 'pushEnd', { ...each, isQuiet: true }, WORKER_OPERATION_TIMEOUT_MS)));
    return together(made.map(({ answer }) => answer));
  }
}

/**
 * Of all that answer; one that dies meanwhile takes what it had along. One that lives and does not answer makes it fail,
 * for it still has what was to go.
 */
async function askEach<Q extends QuestionName>(
  members: readonly Member[],
  name: Q,
  asked: Asked<Q> | ((member: Member) => Asked<Q>),
  timeoutMs: number,
): Promise<Answered<Q>[]> {
  const each = (member: Member): Asked<Q> => (typeof asked === 'function' ? asked(member) : asked);
  return (await Promise.all(members.map((member) => askUnlessGone(member, name, each(member), timeoutMs)))).flat();
}

async function askUnlessGone<Q extends QuestionName>(
  member: Member,
  name: Q,
  asked: Asked<Q>,
  timeoutMs: number,
): Promise<Answered<Q>[]> {
  try {
    return [{ member, answer: await member.channel.ask(name, asked, timeoutMs) }];
  } catch (error) {
    if (error instanceof ConfigError || !member.channel.isGone) throw error;
    return [];
  }
}

function firstRefusal(answers: readonly (Refused | null)[]): Refused | undefined {
  return answers.find((answer) => answer !== null) ?? undefined;
}

/** Stored where each has stored it. */
function together(all: readonly (Refused | PushCounts)[]): Refused | PushCounts {
  const pending = new Set<PendingTier>();
  let whole: PushCounts | undefined;
  for (const one of all) {
    if ('refused' in one) return one;
    for (const tier of one.pending ?? []) pending.add(tier);
    whole = { ...one, fills: one.fills + (whole?.fills ?? 0) };
  }
  if (whole === undefined) return { refused: 'incomplete' };
  return pending.size === 0 ? whole : { ...whole, pending: [...pending].sort() };
}
