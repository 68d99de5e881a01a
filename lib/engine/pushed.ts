/** Answers from what an operator pushed alone (the `push` of a rule): for as long as it is fresh or in grace; nobody asks the origin about it. */
import type { PushPolicy } from '../config/rule.js';
import type { StoredResponse } from '../object/stored.js';
import { NO_DIRECTIVES } from '../policy/request-directives.js';
import { judgeReuse } from '../policy/reuse.js';
import type { ClientRequest, ReplySink } from './contract.js';
import type { Engine } from './engine.js';
import { planPass } from './pass.js';
import { hitDelivery } from './told.js';

export function servePushed(
  engine: Engine,
  request: ClientRequest,
  sink: ReplySink,
  chosen: StoredResponse | undefined,
  push: PushPolicy,
): void {
  const { clock, live } = engine.parts;
  const now = clock.now();
  const verdict = chosen?.pushed === true ? judgeReuse(chosen.life, NO_DIRECTIVES, now, true) : undefined;
  if (chosen !== undefined && verdict?.kind === 'serve') {
    engine.used(chosen);
    engine.reply(request, sink, chosen, hitDelivery(chosen, verdict.phase, verdict.reason, now), now);
    return;
  }
  if (push === 'origin') {
    sink.pass(planPass(engine, request, 'not-pushed'));
    return;
  }
  const sentence = 'Nothing was pushed for this resource.';
  engine.synth(request, sink, { status: 404, reason: 'not-pushed', sentence, rule: live.rules.ruleFor(request).name });
}
