/** Work on all that is stored, in steps with pauses between them: requests are answered meanwhile. */
import type { Clock } from '../base/clock.js';
import { stackOf } from '../base/errors.js';
import { STORE_STEP_DELAY_MS } from '../base/limits.js';
import type { Events } from '../observe/events.js';

/** Takes steps until one returns undefined; else it returns where the next goes on. The first begins at `from`. */
export async function inSteps<At>(
  clock: Clock,
  step: (from: At | undefined) => At | undefined,
  from?: At,
): Promise<void> {
  for (let at = step(from); at !== undefined; at = step(at)) await pause(clock);
}

/** Between two steps. */
export function pause(clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    clock.after(STORE_STEP_DELAY_MS, resolve);
  });
}

/** Work that nobody waits for: a fault ends it, and is told of (decision 0041). Never rejects. */
export function behind(events: Events, work: Promise<void>): Promise<void> {
  return work.catch((error: unknown) => {
    const message = 'Work on what is stored could not be brought to its end';
    events.notice('error', 'internal', message, { error: stackOf(error) });
  });
}
