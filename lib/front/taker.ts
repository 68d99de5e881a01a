/** Whether a client that takes nothing of a reply has had its turn to: replies before it on its connection may be late themselves. */
import type { Socket } from 'node:net';
import type { Taker } from '../object/reader.js';
import type { Wire } from './pass-lane.js';
import { unsentBytes } from './patience.js';

/** Who takes the reply on `wire`. Its turn has come, or it takes nothing of those before it. */
export function takerOf(wire: Wire, socket: Socket): Taker {
  return {
    get hasTurn() {
      return (wire.turn?.isFirst ?? wire.res.socket !== null) || unsentBytes(socket) > 0;
    },
  };
}
