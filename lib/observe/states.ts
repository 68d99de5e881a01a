/**
 * Notices of the state of what the processes of a machine have in common, the disk and the shared tier: that it cannot be used, or can
 * be again. Each process finds that for itself; one tells it for all of them.
 */
import type { Events, NoticeLevel } from './events.js';

/** As Events has it. */
export interface Notice {
  readonly level: NoticeLevel;
  readonly code: string;
  readonly message: string;
  readonly fields?: Readonly<Record<string, unknown>> | undefined;
}

/** What says that a state is over. */
type StateEnd = Pick<Notice, 'code' | 'message'>;

/** States by the code of what says that one has begun; undefined: it lasts until the process ends. */
const STATE_ENDS = {
  'shared-down': { code: 'shared-up', message: 'The tier that machines share is there.' },
  'shared-refusing': {
    code: 'shared-refusing-over',
    message: 'The tier that machines share refuses nothing any more.',
  },
  'shared-unguarded': undefined,
  'disk-unavailable': {
    code: 'disk-available',
    message: 'The disk tier is there: responses are stored in it from now on.',
  },
  'disk-read-only': { code: 'disk-writable', message: 'The disk tier can be written again.' },
  'disk-unreadable': undefined,
  'disk-unwritable': undefined,
  'disk-other-format': undefined,
} as const satisfies Readonly<Record<string, StateEnd | undefined>>;

export type State = keyof typeof STATE_ENDS;

const STATES_BY_END: ReadonlyMap<string, State> = new Map(
  (Object.entries(STATE_ENDS) as [State, StateEnd | undefined][]).flatMap(([state, end]) =>
    end === undefined ? [] : [[end.code, state]],
  ),
);

/** Of what state a notice speaks, and whether that is over; undefined: of none. */
export function stateOf(code: string): { readonly state: State; readonly isOver: boolean } | undefined {
  if (Object.hasOwn(STATE_ENDS, code)) return { state: code as State, isOver: false };
  const state = STATES_BY_END.get(code);
  return state === undefined ? undefined : { state, isOver: true };
}

/** Says that a state is over, where it can be. */
export function noticeEnd(events: Events, state: State): void {
  const end: StateEnd | undefined = STATE_ENDS[state];
  if (end !== undefined) events.notice('info', end.code, end.message);
}

/** Tells `events` all but such notices, which `tell` is given; and these as well where it returns that they do not get through. */
export function tellingStates(events: Events, tell: (notice: Notice) => boolean): Events {
  return {
    ...events,
    notice(level, code, message, fields) {
      const isTold = stateOf(code) !== undefined && tell({ level, code, message, fields });
      if (!isTold) events.notice(level, code, message, fields);
    },
  };
}
