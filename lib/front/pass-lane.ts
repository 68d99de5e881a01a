/** Gives a request to the tunnel, with the plan of the engine around it, and takes the account of it back. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { PassPlan, Reply, ReplyNote } from '../engine/contract.js';
import type { Fields } from '../http/fields.js';
import type { ClientConnection } from './connection.js';
import type { Exchange, UpgradeSocket } from './exchange.js';

/** How the tunnel says that a request is over. */
export interface PassEnd {
  readonly ending: 'finished' | 'aborted';
  /** Body bytes handed to the client's socket. */
  readonly bodyBytes: number;
}

/** What the front needs of lib/origin/tunnel.ts. */
export interface Tunnel {
  web(req: IncomingMessage, res: ServerResponse, plan: PassPlan, done: (end: PassEnd) => void): void;
  upgrade(req: IncomingMessage, socket: Socket, head: Buffer, plan: PassPlan, done: (end: PassEnd) => void): void;
}

/** node:http's side of a request. */
export interface Wire {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly upgrade: UpgradeSocket | undefined;
}

export function startPass(connection: ClientConnection, exchange: Exchange, plan: PassPlan, wire: Wire): void {
  const { tunnel, debugHeader } = connection.lane;
  const { req, res, upgrade } = wire;
  const answering = (status: number, made: { fields: Fields; note: ReplyNote }) => {
    exchange.answering(status, made.note);
    if (debugHeader === undefined) return made;
    return { fields: made.fields.set(debugHeader, made.note.outcome), note: made.note };
  };
  const watched: PassPlan = {
    requestFields: plan.requestFields,
    respond(status, reasonPhrase, fields) {
      if (connection.isLast) res.shouldKeepAlive = false;
      return answering(status, plan.respond(status, reasonPhrase, fields));
    },
    upgraded: (fields) => answering(101, plan.upgraded(fields)),
    failed(error): Reply {
      const reply = plan.failed(error);
      exchange.answering(reply.status, reply.note);
      return reply;
    },
  };
  const done = (end: PassEnd): void => exchange.passed(end);
  if (upgrade === undefined || !exchange.isUpgrade) {
    if (upgrade !== undefined) connection.takeBack(res, upgrade.socket);
    tunnel.web(req, res, watched, done);
    return;
  }
  connection.tunnelled();
  tunnel.upgrade(req, upgrade.socket, upgrade.head, watched, done);
}
