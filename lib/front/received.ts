/** A request as it came in on a connection: the record that the engine reads, and how much of it has arrived. */
import type { ClientRequest } from '../engine/contract.js';
import type { Fields } from '../http/fields.js';
import type { ClientConnection } from './connection.js';
import type { Admitted } from './intake.js';
import { wasToldToGoOn } from './node-reply.js';
import type { Wire } from './pass-lane.js';

export abstract class Received implements ClientRequest {
  readonly method: string;
  readonly target: string;
  readonly scheme = 'http';
  readonly host: string;
  readonly fields: Fields;
  readonly httpVersion: '1.0' | '1.1';
  readonly hasBody: boolean;
  readonly isUpgrade: boolean;
  readonly startedAt: number;
  protected readonly connection: ClientConnection;
  protected readonly wire: Wire;

  /** `startedAt`: when it came, on the clock of the lane. */
  constructor(
    connection: ClientConnection,
    method: string,
    admitted: Admitted,
    wire: Wire,
    startedAt: number,
    isUpgrade = false,
  ) {
    this.method = method;
    this.target = admitted.target;
    this.host = admitted.host;
    this.fields = admitted.fields;
    this.httpVersion = admitted.httpVersion;
    this.hasBody = admitted.hasBody;
    this.isUpgrade = isUpgrade;
    this.startedAt = startedAt;
    this.connection = connection;
    this.wire = wire;
  }

  get remoteAddress(): string {
    return this.connection.remoteAddress;
  }

  /** Whether the request has a body that has not arrived whole. */
  get isReceiving(): boolean {
    return this.hasBody && !this.wire.req.complete;
  }

  /** Whether bytes of the request's body wait here for whoever takes them: then it is not the client who is slow. */
  get hasUntakenBytes(): boolean {
    return this.wire.req.readableLength > 0;
  }

  /** Whether the client may be waiting for 100 (Continue) before it sends the body (RFC 9110 §10.1.1). */
  get expectsContinue(): boolean {
    return this.httpVersion === '1.1' && this.fields.has('expect') && !wasToldToGoOn(this.wire.res);
  }
}
