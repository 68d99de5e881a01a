/** Requests that say nothing to a cache but what they are for. */
import type { Rule } from '../config/rule.js';
import { Fields } from '../http/fields.js';
import type { ClientRequest, PartAsked } from './contract.js';

/** Whether what a rule makes of a request, and its key, depend on no field that a plain request may have. */
export function readsTargetAlone({ normalize, request, key, push }: Rule): boolean {
  const { acceptEncoding, acceptLanguage } = normalize;
  return (
    push === 'off' &&
    acceptEncoding.length + acceptLanguage.length === 0 &&
    request.remove.length + request.set.length + request.append.length === 0 &&
    key.headers.length + key.cookies.length === 0
  );
}

export function plainRequest(
  isHead: boolean,
  host: string,
  target: string,
  condition: string | undefined,
  part?: PartAsked | undefined,
): ClientRequest {
  const raw = condition === undefined ? ['Host', host] : ['Host', host, 'If-None-Match', condition];
  return {
    method: isHead ? 'HEAD' : 'GET',
    target,
    scheme: 'http',
    host,
    fields: new Fields(part === undefined ? raw : [...raw, ...part.fields.raw]),
    httpVersion: '1.1',
    remoteAddress: '',
    hasBody: false,
    isUpgrade: false,
    startedAt: 0,
  };
}
