/** What is made of a request before it is looked up, and before it goes to the origin on behalf of everybody. */
import { createHash } from 'node:crypto';
import type { Clock } from '../base/clock.js';
import type { Rule } from '../config/rule.js';
import type { Fields } from '../http/fields.js';
import { NameSet } from '../http/name-set.js';
import type { StoredResponse } from '../object/stored.js';
import { contentForm } from '../policy/content-key.js';
import { connectionOptions, endToEndFields } from '../policy/hygiene.js';
import { shapedFields } from '../policy/shape-request.js';
import { judgeStorable } from '../policy/storable.js';
import type { ClientRequest } from './contract.js';

/**
 * What Connection lists is between the client and us: it must not choose a variant, or a client could have the answer
 * to a request without the field stored as the answer to one with it (RFC 9110 §7.6.1).
 */
export function withoutConnectionOptions(request: ClientRequest): ClientRequest {
  if (connectionOptions(request.fields).size === 0) return request;
  return withFields(request, endToEndFields(request.fields));
}

const WISHES = new NameSet(['cache-control', 'pragma']);

/**
 * A refresh is for everybody, not for whoever happened to ask: without its wishes, and without its credentials and
 * cookies unless the answer to them would be shared all the same.
 */
export function forEverybody(request: ClientRequest, chosen: StoredResponse, rule: Rule, clock: Clock): ClientRequest {
  const { status, fields, selection } = chosen;
  const asked = request.fields.withoutAny(WISHES);
  if (!asked.has('authorization') && !asked.has('cookie')) {
    return asked === request.fields ? request : withFields(request, asked);
  }
  const receivedWall = clock.wall();
  const { store } = judgeStorable({ method: 'GET', requestFields: asked, status, fields, rule, receivedWall });
  const isOwn = (name: string): boolean => name === 'authorization' || name === 'cookie';
  const kept = store ? asked : asked.filter((name) => !isOwn(name) || selection.names.includes(name));
  return kept === request.fields ? request : withFields(request, kept);
}

export function withFields(request: ClientRequest, fields: Fields): ClientRequest {
  // Not a spread: what comes from the front is an object of a class, and has some of these as accessors.
  const { method, target, scheme, host, httpVersion, remoteAddress, hasBody, isUpgrade, startedAt } = request;
  const { content, received } = request;
  const common = { method, target, scheme, host, httpVersion, remoteAddress, hasBody, isUpgrade, startedAt };
  return { ...common, fields, content, received };
}

/** The same with its content, which is here now. */
export function withContent(request: ClientRequest, bytes: Buffer): ClientRequest {
  const [what, form] = contentForm(request.fields, bytes);
  const digest = createHash('sha256').update(what).update(form).digest('base64url');
  return { ...withFields(request, request.fields), content: { bytes, digest } };
}

/** The request as its rule has it. */
export function shaped(request: ClientRequest, rule: Rule): ClientRequest {
  const fields = shapedFields(request.fields, rule);
  return fields === request.fields ? request : { ...withFields(request, fields), received: request };
}
