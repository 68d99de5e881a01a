/** Gives a request to the tunnel, with the plan of the engine around it, and takes the account of it back. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { PassPlan, ReplyNote } from '../engine/contract.js';
import type { Fields } from '../http/fields.js';
import type { Tunnel as OriginTunnel, PassEnd, TunnelPlan } from '../origin/tunnel.js';
import type { ClientConnection } from './connection.js';
import type { DirectTurn } from './direct.js';
import type { Exchange } from './exchange.js';

export type { PassEnd } from '../origin/tunnel.js';

/** What the front needs of the tunnel. */
export type Tunnel = Pick<OriginTunnel, 'web' | 'upgrade'>;

/** The socket of an upgrade request, which node:http has let go of. */
export interface UpgradeSocket {
  readonly socket: Socket;
  /** Bytes that followed the head. */
  readonly head: Buffer;
}

/** node:http's side of a request. */
export interface Wire {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly upgrade: UpgradeSocket | undefined;
  /** In the fast lane. */
  readonly turn?: DirectTurn | undefined;
}

/** The plan, with what the front adds to each reply and wants to know of it. */
function watch(plan: PassPlan, connection: ClientConnection, exchange: Exchange, res: ServerResponse): TunnelPlan {
  const { debugHeader, events } = connection.lane;
  const answering = <Made extends { readonly fields: Fields; readonly note: ReplyNote }>(
    status: number,
    made: Made,
    isSized: boolean,
  ) => {
    exchange.answering(status, made.note, isSized);
    if (connection.isLastReply(exchange)) res.shouldKeepAlive = false;
    return debugHeader === undefined ? made : { ...made, fields: made.fields.set(debugHeader, made.note.outcome) };
  };
  return {
    requestFields: plan.requestFields,
    respond(status, reasonPhrase, fields, receivedVersion) {
      try {
        const made = plan.respond(status, reasonPhrase, fields, receivedVersion);
        return answering(status, made, made.fields.has('content-length'));
      } catch (error) {
        // The tunnel breaks the reply off; without this line it would look as if the client had left.
        events.notice('error', 'internal', 'An answer of the origin could not be passed on.', { error });
        throw error;
      }
    },
    upgraded(fields) {
      connection.tunnelled();
      return answering(101, plan.upgraded(fields), true);
    },
    brokeOff: () => connection.cut(),
    failed(error) {
      const reply = plan.failed(error);
      if (reply.close === true) connection.closeAfter();
      return answering(reply.status, reply, true);
    },
  };
}

/** What the end of a connection tells the pass lane, told where the connection stays for a while. */
export function leavePass(res: ServerResponse): void {
  if (res.destroyed) return;
  res.destroyed = true;
  res.emit('close');
}

export function startPass(connection: ClientConnection, exchange: Exchange, plan: PassPlan, wire: Wire): void {
  const { tunnel } = connection.lane;
  const { req, res, upgrade } = wire;
  const watched = watch(plan, connection, exchange, res);
  const done = (end: PassEnd): void => exchange.passed(end);
  if (upgrade !== undefined && exchange.isUpgrade) {
    // Whatever comes of it, there is no further request on this connection.
    connection.closeAfter();
    tunnel.upgrade(req, upgrade.socket, upgrade.head, watched, done);
    return;
  }
  if (upgrade !== undefined) connection.takeBack(res, upgrade.socket);
  tunnel.web(req, res, watched, done);
}
