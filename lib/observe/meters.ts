/** The counters behind the metrics, one class for each side of the house; events in, families of samples out. */
import type { Clock } from '../base/clock.js';
import { MAX_NOTICE_LABELS, MAX_RULE_LABELS } from '../base/limits.js';
import {
  type AnsweredEvent,
  type AskedEvent,
  LEASE_ANSWERS,
  LEASE_KINDS,
  type LeaseAnswerKind,
  type LeaseKind,
  type Operation,
  type OperationOutcome,
  OUTCOMES,
} from './events.js';
import { counter, type Family, histogram, single } from './families.js';
import { FetchTimes } from './fetch-times.js';
import { REASON_CODES } from './reasons.js';
import { BoundedSet, ClosedSet, Histograms, OTHER, Tally } from './tallies.js';

const STATUS_CLASSES = [OTHER, '1xx', '2xx', '3xx', '4xx', '5xx'] as const;
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'CONNECT', OTHER] as const;
const ASKED_FOR = ['fill', 'refresh', 'validate', 'uncacheable'] as const;
const ASKED_ENDS = ['stored', 'not-modified', 'uncacheable', 'error', 'failed', 'abandoned'] as const;
const REMOVALS = ['evicted', 'expired', 'replaced', 'purged', 'invalidated'] as const;
const BREAKER_STATES = ['closed', 'open', 'half-open'] as const;
const OPERATIONS = ['purge', 'expire', 'refresh', 'update', 'warm', 'reload', 'drain'] as const;
const OPERATION_OUTCOMES = ['done', 'nothing', 'refused'] as const;
const LEVELS = ['info', 'warn', 'error'] as const;

/** From a hit on the loopback to a request that waited as long as one may. */
const LATENCY_BOUNDS_SEC = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];
/** Ages are whole seconds (RFC 9111 §5.1): 0 is a bucket of its own, then minutes, hours, a day, a week, a month. */
const AGE_BOUNDS_SEC = [0, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400, 604_800, 2_592_000];

function statusClass(status: number): number {
  const hundreds = (status / 100) | 0;
  return hundreds >= 1 && hundreds <= 5 ? hundreds : 0;
}

/** Counts what clients got. `answered` runs for every hit. */
export class ClientSide {
  readonly #outcome = new ClosedSet('outcome', OUTCOMES);
  readonly #reason = new ClosedSet('reason', [...REASON_CODES, OTHER]);
  readonly #status = new ClosedSet('status', STATUS_CLASSES);
  readonly #method = new ClosedSet('method', METHODS);
  readonly #rule = new BoundedSet('rule', MAX_RULE_LABELS);
  readonly #requests = new Tally([this.#outcome, this.#reason, this.#status], false);
  readonly #byMethod = new Tally([this.#method], true);
  readonly #byRule = new Tally([this.#rule, this.#outcome], false);
  readonly #collapsed = new Tally([this.#outcome], true);
  readonly #aborted = new Tally([this.#outcome], true);
  readonly #bodyBytes = new Tally([this.#outcome], true);
  readonly #latency = new Histograms(this.#outcome, LATENCY_BOUNDS_SEC);
  readonly #age = new Histograms(this.#outcome, AGE_BOUNDS_SEC);

  answered(event: AnsweredEvent): void {
    const outcome = this.#outcome.indexOf(event.outcome);
    const reason = this.#reason.indexOf(event.reason);
    this.#requests.add(outcome, reason * STATUS_CLASSES.length + statusClass(event.status), 1);
    this.#byMethod.add(this.#method.indexOf(event.method), 0, 1);
    if (event.rule !== '') this.#byRule.add(this.#rule.indexOf(event.rule), outcome, 1);
    if (event.collapsed) this.#collapsed.add(outcome, 0, 1);
    if (event.ending === 'aborted') this.#aborted.add(outcome, 0, 1);
    this.#bodyBytes.add(outcome, 0, event.bodyBytes);
    this.#latency.observe(outcome, event.durationMs / 1000);
    if (event.ageSec !== undefined) this.#age.observe(outcome, event.ageSec);
  }

  families(): Family[] {
    return [
      counter(
        'patina_requests_total',
        'Requests answered, by outcome, reason code and class of the status.',
        this.#requests,
      ),
      counter('patina_requests_by_method_total', 'Requests answered, by method.', this.#byMethod),
      counter(
        'patina_requests_by_rule_total',
        'Requests answered, by the rule that applied and by outcome.',
        this.#byRule,
      ),
      counter(
        'patina_requests_collapsed_total',
        "Requests that waited on another's exchange with the origin.",
        this.#collapsed,
      ),
      counter(
        'patina_requests_aborted_total',
        'Requests whose client left, or was cut off, before the end.',
        this.#aborted,
      ),
      counter('patina_response_body_bytes_total', 'Body bytes sent to clients.', this.#bodyBytes),
      histogram(
        'patina_request_duration_seconds',
        'Time from the request to the last byte of its reply.',
        this.#latency,
      ),
      histogram('patina_served_age_seconds', 'Age of stored responses at the moment they were served.', this.#age),
    ];
  }
}

/** Counts what the origin was asked for, and what it did not need to send. */
export class OriginSide {
  readonly #askedFor = new ClosedSet('asked_for', ASKED_FOR);
  readonly #end = new ClosedSet('end', ASKED_ENDS);
  readonly #reason = new ClosedSet('reason', [...REASON_CODES, OTHER]);
  readonly #status = new ClosedSet('status', STATUS_CLASSES);
  readonly #ground = new ClosedSet('ground', ['foreground', 'background']);
  readonly #exchanges = new Tally([this.#askedFor, this.#end, this.#reason], false);
  readonly #responses = new Tally([this.#status], true);
  readonly #byGround = new Tally([this.#ground], true);
  readonly #duration = new Histograms(this.#end, LATENCY_BOUNDS_SEC);
  readonly #leaseKind = new ClosedSet('kind', LEASE_KINDS);
  readonly #leaseAnswer = new ClosedSet('answer', LEASE_ANSWERS);
  readonly #leases = new Tally([this.#leaseKind, this.#leaseAnswer], true);
  readonly #fetchTimes = new FetchTimes();
  #bodyBytes = 0;
  #savedBytes = 0;
  #savedTransfers = 0;
  #savedMs = 0;

  asked(event: AskedEvent): void {
    const end = this.#end.indexOf(event.end);
    const rest = end * (REASON_CODES.length + 1) + this.#reason.indexOf(event.reason);
    this.#exchanges.add(this.#askedFor.indexOf(event.askedFor), rest, 1);
    if (event.status !== undefined) this.#responses.add(statusClass(event.status), 0, 1);
    this.#byGround.add(event.background ? 1 : 0, 0, 1);
    this.#duration.observe(end, event.durationMs / 1000);
    this.#bodyBytes += event.bodyBytes;
    if (event.end === 'stored') this.#fetchTimes.note(event.key, event.durationMs);
    else if (event.end === 'not-modified') this.#save(event);
  }

  leased(kind: LeaseKind, answer: LeaseAnswerKind): void {
    this.#leases.add(this.#leaseKind.indexOf(kind), this.#leaseAnswer.indexOf(answer), 1);
  }

  #save(event: AskedEvent): void {
    this.#savedTransfers++;
    this.#savedBytes += event.savedBytes;
    // Only what was seen counts: a key whose full fetch is not remembered saves nothing here, nor does a slow 304.
    const fullMs = this.#fetchTimes.of(event.key);
    if (fullMs !== undefined && fullMs > event.durationMs) this.#savedMs += fullMs - event.durationMs;
  }

  families(): Family[] {
    return [
      counter(
        'patina_origin_exchanges_total',
        'Exchanges with the origin, by purpose, end and reason code.',
        this.#exchanges,
      ),
      counter('patina_origin_responses_total', 'Answers of the origin, by class of the status.', this.#responses),
      counter(
        'patina_origin_exchanges_by_ground_total',
        'Exchanges that a client waited for, and those that none did.',
        this.#byGround,
      ),
      counter(
        'patina_leases_total',
        'Times that others with a cache of their own were asked first, by what for and by the answer.',
        this.#leases,
      ),
      histogram(
        'patina_origin_exchange_duration_seconds',
        'Time of an exchange with the origin, by its end.',
        this.#duration,
      ),
      single(
        'patina_origin_body_bytes_total',
        'counter',
        'Body bytes received from the origin.',
        () => this.#bodyBytes,
      ),
      single(
        'patina_saved_body_bytes_total',
        'counter',
        'Body bytes that a 304 spared from being sent again.',
        () => this.#savedBytes,
      ),
      single(
        'patina_saved_transfers_total',
        'counter',
        'Full answers that a 304 made needless.',
        () => this.#savedTransfers,
      ),
      single(
        'patina_saved_origin_seconds_total',
        'counter',
        'Origin time that 304s saved: for each, what the last full fetch of the same key took, less what the 304 took.',
        () => this.#savedMs / 1000,
      ),
    ];
  }
}

/** Counts what happened to the store, the breaker and everything an operator was told. */
export class Household {
  readonly #removal = new ClosedSet('reason', REMOVALS);
  readonly #state = new ClosedSet('to', BREAKER_STATES);
  readonly #level = new ClosedSet('level', LEVELS);
  readonly #code = new BoundedSet('code', MAX_NOTICE_LABELS);
  readonly #removed = new Tally([this.#removal], true);
  readonly #removedBytes = new Tally([this.#removal], true);
  readonly #transitions = new Tally([this.#state], true);
  readonly #operation = new ClosedSet('operation', OPERATIONS);
  readonly #outcome = new ClosedSet('outcome', OPERATION_OUTCOMES);
  readonly #operations = new Tally([this.#operation, this.#outcome], true);
  readonly #notices = new Tally([this.#code, this.#level], false);
  readonly #clock: Clock;
  #breaker: (typeof BREAKER_STATES)[number] = 'closed';
  #unclosedSince: number | undefined;
  #unclosedMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  removed(reason: (typeof REMOVALS)[number], bytes: number): void {
    const index = this.#removal.indexOf(reason);
    this.#removed.add(index, 0, 1);
    this.#removedBytes.add(index, 0, bytes);
  }

  breaker(state: (typeof BREAKER_STATES)[number]): void {
    this.#breaker = state;
    this.#transitions.add(this.#state.indexOf(state), 0, 1);
    if (state !== 'closed') {
      this.#unclosedSince ??= this.#clock.now();
    } else if (this.#unclosedSince !== undefined) {
      this.#unclosedMs += this.#clock.now() - this.#unclosedSince;
      this.#unclosedSince = undefined;
    }
  }

  operated(operation: Operation, outcome: OperationOutcome): void {
    this.#operations.add(this.#operation.indexOf(operation), this.#outcome.indexOf(outcome), 1);
  }

  notice(level: (typeof LEVELS)[number], code: string): void {
    this.#notices.add(this.#code.indexOf(code), this.#level.indexOf(level), 1);
  }

  #unclosedSec(): number {
    const running = this.#unclosedSince === undefined ? 0 : this.#clock.now() - this.#unclosedSince;
    return (this.#unclosedMs + running) / 1000;
  }

  families(): Family[] {
    return [
      counter('patina_removals_total', 'Stored responses that left the store.', this.#removed),
      counter('patina_removed_bytes_total', 'Bytes of stored responses that left the store.', this.#removedBytes),
      counter(
        'patina_breaker_transitions_total',
        'Changes of state of the circuit breaker, by the new state.',
        this.#transitions,
      ),
      {
        name: 'patina_breaker_state',
        help: '1 for the state that the circuit breaker is in.',
        type: 'gauge',
        samples: () => BREAKER_STATES.map((state) => ({ labels: { state }, value: state === this.#breaker ? 1 : 0 })),
      },
      single('patina_breaker_unclosed_seconds_total', 'counter', 'Time that the circuit breaker was not closed.', () =>
        this.#unclosedSec(),
      ),
      counter('patina_operations_total', 'What operators did, or tried to, by outcome.', this.#operations),
      counter('patina_notices_total', 'Notices to the operator, by code and level.', this.#notices),
    ];
  }
}
