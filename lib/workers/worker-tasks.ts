/** What operators want of a worker: its share of an operation, its page of what is stored, its metrics. */
import type { Clock, Timer } from '../base/clock.js';
import { WORKER_BEAT_MS } from '../base/worker-limits.js';
import type { LastingPush, PushedHead, RefreshRun } from '../engine/operations.js';
import { currentOf } from '../engine/reach.js';
import { Fields } from '../http/fields.js';
import type { Selection } from '../object/stored.js';
import type { Part } from '../proxy.js';
import { Counted, type CountedPlace, Reached } from './counted.js';
import type { Answer, Asked, ToPrimary, WireHead, WirePlace } from './messages.js';
import type { Sequence } from './sequence.js';

export interface WorkerTaskParts {
  readonly part: Part;
  readonly clock: Clock;
  readonly sequence: Sequence;
  tell(message: ToPrimary): void;
}

export class WorkerTasks {
  readonly #parts: WorkerTaskParts;
  readonly #pushes = new Map<number, LastingPush>();

  constructor(parts: WorkerTaskParts) {
    this.#parts = parts;
  }

  /** Answers a question of the primary process. */
  async answer(name: string, asked: object): Promise<unknown> {
    const { part } = this.#parts;
    switch (name) {
      case 'operate':
        return this.#operate(asked as Asked<'operate'>);
      case 'refresh':
        return this.#refresh(asked as Asked<'refresh'>);
      case 'push':
        return this.#push(asked as Asked<'push'>);
      case 'pushBytes': {
        const { push, bytes } = asked as Asked<'pushBytes'>;
        return this.#pushes.get(push)?.write(Buffer.from(bytes)) ?? null;
      }
      case 'pushEnd':
        return this.#pushEnd(asked as Asked<'pushEnd'>);
      case 'warm':
        part.warm();
        return null;
      case 'objects':
        return part.objects(new URLSearchParams((asked as Asked<'objects'>).query));
      case 'holds':
        return (asked as Asked<'holds'>).places.map((place) => this.#hitsOf(place));
      case 'readings':
        return part.readings();
      default:
        throw new Error(`${name} is no question`);
    }
  }

  async #operate({ operation, target, sequence, isQuiet }: Asked<'operate'>): Promise<Answer<'operate'>> {
    const { part, sequence: own } = this.#parts;
    const all = new Reached();
    own.begin(sequence);
    try {
      const reached = (place: CountedPlace): void => all.add(place);
      const counts = await part.engine.operations[operation](target, { isQuiet, reached });
      if (counts === undefined) return null;
      const { objects: _, ...more } = counts;
      return { ...more, digests: all.digests, further: all.further };
    } finally {
      own.end(sequence);
    }
  }

  async #refresh({ target, fill, run, others }: Asked<'refresh'>): Promise<Answer<'refresh'>> {
    const [all, elsewhere] = [new Reached(), new Counted()];
    elsewhere.add(others, 0);
    const begun = await this.#parts.part.engine.operations.refresh(target, {
      fill,
      isOthers: (place) => elsewhere.has(place),
      reached: (place) => all.add(place),
    });
    if (begun === undefined || begun === 'busy') return begun ?? null;
    void this.#tellEnds(run, begun);
    return { objects: begun.objects, digests: all.digests, further: all.further };
  }

  /** Now and then while it goes on, and once it is over. */
  async #tellEnds(run: number, { ends, over }: RefreshRun): Promise<void> {
    const { clock, tell } = this.#parts;
    const told = (isOver: boolean): void => tell({ kind: 'refreshed', run, ends: { ...ends }, isOver });
    const progress: Timer = clock.every(WORKER_BEAT_MS, () => told(false));
    await over;
    progress.cancel();
    told(true);
  }

  #push({ push, url, head }: Asked<'push'>): Answer<'push'> {
    const pushing = this.#parts.part.engine.operations.update(url, headOf(head));
    if ('refused' in pushing) return pushing;
    this.#pushes.set(push, pushing);
    return null;
  }

  async #pushEnd({ push, sequence, isQuiet }: Asked<'pushEnd'>): Promise<Answer<'pushEnd'>> {
    const pushing = this.#pushes.get(push);
    this.#pushes.delete(push);
    const { sequence: own } = this.#parts;
    own.begin(sequence);
    let ended: Promise<Answer<'pushEnd'>> | undefined;
    let walked: Promise<unknown> | undefined;
    try {
      ended = pushing?.end({ isQuiet });
      walked = this.#parts.part.engine.purging.walked();
    } finally {
      // What it is in this process it is by now.
      this.#endBehind(sequence, walked);
    }
    return (await ended) ?? { refused: 'incomplete' };
  }

  /** What goes in steps is over with the last of them: until then others must not take it from here. */
  #endBehind(sequence: number, walked: Promise<unknown> | undefined): void {
    const { sequence: own } = this.#parts;
    if (walked === undefined) own.end(sequence);
    else void walked.then(() => own.end(sequence));
  }

  pushFail(push: number): void {
    this.#pushes.get(push)?.fail();
    this.#pushes.delete(push);
  }

  /** A request that went by one of the workers changed what is stored for these keys; for none where it is this one, which knows. */
  invalidate(keys: readonly string[], sequence: number): void {
    const { part, sequence: own } = this.#parts;
    const { purging } = part.engine;
    own.begin(sequence);
    for (const key of keys) purging.purgeHere(key, 'invalidated', { isQuiet: true });
    this.#endBehind(sequence, purging.walked());
  }

  #hitsOf({ key, variant }: WirePlace): number | null {
    const { store } = this.#parts.part.engine.parts;
    const stored = currentOf(store, { key, selection: selectionOf(variant) });
    return stored === undefined ? null : (store.usage(stored)?.hits ?? 0);
  }
}

/** As the admin listener writes a selection. */
function selectionOf(variant: WirePlace['variant']): Selection {
  const names = Object.keys(variant);
  return { names, values: names.map((name) => variant[name] ?? undefined) };
}

function headOf({ status, reasonPhrase, fields, selecting, bodyBytes }: WireHead): PushedHead {
  return { status, reasonPhrase, fields: new Fields(fields), selecting: new Fields(selecting), bodyBytes };
}
