/**
 * Points that a test and a scripted peer meet at, instead of sleeping.
 *
 *   const barrier = createBarrier();      origin.script(send(head), until(barrier), send(rest));
 *   ... assert what holds meanwhile ...   barrier.open();
 */

export interface Barrier {
  /** Resolves once open() was called; at once where it already was. */
  readonly passed: Promise<void>;
  readonly isOpen: boolean;
  open(): void;
}

export function createBarrier(): Barrier {
  let release = (): void => {};
  let isOpen = false;
  const passed = new Promise<void>((resolve) => {
    release = resolve;
  });
  return {
    passed,
    get isOpen() {
      return isOpen;
    },
    open() {
      isOpen = true;
      release();
    },
  };
}

/** Counts arrivals and lets a test wait for the n-th. */
export interface Arrivals {
  readonly count: number;
  arrive(): void;
  /** Resolves once `count` arrivals were counted. */
  reached(count: number): Promise<void>;
}

export function createArrivals(): Arrivals {
  let count = 0;
  let waiting: { count: number; resolve: () => void }[] = [];
  return {
    get count() {
      return count;
    },
    arrive() {
      count++;
      const due = waiting.filter((one) => one.count <= count);
      waiting = waiting.filter((one) => one.count > count);
      for (const one of due) one.resolve();
    },
    reached(wanted) {
      if (wanted <= count) return Promise.resolve();
      return new Promise((resolve) => waiting.push({ count: wanted, resolve }));
    },
  };
}

/** Resolves after the event loop has turned `turns` times: for "nothing more happens", with no clock. */
export async function turns(count = 5): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
