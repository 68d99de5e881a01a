/** Answers from what an operator pushed alone (the `push` of a rule): for as long as it is fresh or in grace; nobody asks the origin about it. */
import type { PushPolicy } from '../config/rule.js';
import type { StoredResponse } from '../object/stored.js';
import { NO_DIRECTIVES } from '../policy/request-directives.js';
import { judgeReuse } from '../policy/reuse.js';
import type { ClientRequest, ReplySink } from './contract.js';
import type { Engine } from './engine.js';
import type { Fill } from './fill.js';
import { unledOrder } from './fill-order.js';
import { planPass } from './pass.js';
import { hitDelivery } from './told.js';

/** What is stored for the request, which `find` looks up anew where others, who may have been given it, are asked first. */
export function servePushed(
  engine: Engine,
  request: ClientRequest,
  sink: ReplySink,
  key: string,
  push: PushPolicy,
  find: () => StoredResponse | undefined,
): void {
  if (tryToServe(engine, request, sink, find())) return;
  const fill = lookElsewhere(engine, request, key);
  if (fill === undefined) {
    serveNothing(engine, request, sink, push);
    return;
  }
  let isGone = false;
  sink.onGone(() => {
    isGone = true;
  });
  engine.collapse.whenEnded(fill, () => {
    if (isGone) return;
    try {
      if (!tryToServe(engine, request, sink, find())) serveNothing(engine, request, sink, push);
    } catch (error) {
      sink.faulted(error);
    }
  });
}

/**
 * It was pushed to another machine, or to this one before it lost its memory: others with a cache of their own are asked, as
 * before a fill, and the origin is not. Undefined where there is nobody to ask.
 */
function lookElsewhere(engine: Engine, request: ClientRequest, key: string): Fill | undefined {
  const { parts, collapse } = engine;
  if (parts.leases === undefined || collapse.isFull) return undefined;
  const running = collapse.find(key, request.fields, ({ spec }) => spec.isUnasked);
  if (running !== undefined) return running;
  const fill = engine.makeFill({ ...unledOrder(key, request), isUnasked: true });
  fill.start();
  return fill;
}

function tryToServe(
  engine: Engine,
  request: ClientRequest,
  sink: ReplySink,
  chosen: StoredResponse | undefined,
): boolean {
  const now = engine.parts.clock.now();
  const verdict = chosen?.pushed === true ? judgeReuse(chosen.life, NO_DIRECTIVES, now, true) : undefined;
  if (chosen === undefined || verdict?.kind !== 'serve') return false;
  engine.used(chosen);
  engine.reply(request, sink, chosen, hitDelivery(chosen, verdict.phase, verdict.reason, now), now);
  return true;
}

function serveNothing(engine: Engine, request: ClientRequest, sink: ReplySink, push: PushPolicy): void {
  if (push === 'origin') {
    sink.pass(planPass(engine, request, 'not-pushed'));
    return;
  }
  const sentence = 'Nothing was pushed for this resource.';
  const rule = engine.parts.live.rules.ruleFor(request).name;
  engine.synth(request, sink, { status: 404, reason: 'not-pushed', sentence, rule });
}
