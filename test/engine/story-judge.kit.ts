/** What may be said to a client of a story, judged by the truth that the origin of the story knows. */
import type { Rule } from '../../lib/config/rule.js';
import { type Content, type StoryClient, type StoryOrigin, type Told, weak } from './story.kit.js';

/** Made by the proxy itself. */
const OWN_STATUSES: ReadonlySet<number> = new Set([202, 502, 503, 504]);

/** Throws where the reply of `client`, as far as it came, breaks a promise. `purgedStep`: of the newest purge of its path. */
export function judgeReply(client: StoryClient, origin: StoryOrigin, rule: Rule, purgedStep: number | undefined): void {
  const { replied } = client;
  if (replied === undefined || client.isJudged) return;
  const complain = (what: string): never => {
    const { status, fields, note } = replied;
    const seen = JSON.stringify({
      status,
      fields: fields.raw,
      note,
      body: client.body.slice(0, 200),
      ending: client.ending,
    });
    throw new Error(`${client.method} ${client.path} of ${client.number}: ${what}: ${seen}`);
  };
  if (client.ending !== 'streaming') client.isJudged = true;
  const number = client.field('x-exchange');
  if (number === undefined) {
    if (replied.status === 412) judgeCondition(client, complain);
    else if (!OWN_STATUSES.has(replied.status)) complain('an answer that came by no exchange');
    return;
  }
  const told = origin.told[Number(number)] ?? complain('an exchange that never was');
  judgePrivacy(client, told, complain);
  // A step after the purge may have purged again: what counts is what had been purged when the client came.
  if (purgedStep !== undefined && purgedStep < client.cameStep && told.askedStep < purgedStep)
    complain(`asked at step ${told.askedStep}, purged at ${purgedStep}, came at ${client.cameStep}`);
  judgeTime(client, told, rule, complain);
  const id = client.field('x-body');
  const content = id === undefined ? undefined : origin.contents[Number(id)];
  if (content === undefined) {
    // The answer to its own condition, passed on as it came.
    if (client.status === 304 && told.client === client.number && client.fields.has('if-none-match')) return;
    const text = `no ${told.number}`;
    if (client.method !== 'HEAD' && client.ending === 'finished' && client.body !== text)
      complain('another error body');
    return;
  }
  judgeSelection(client, content, complain);
  judgeBody(client, content, origin, complain);
}

type Complain = (what: string) => never;

function judgePrivacy(client: StoryClient, told: Told, complain: Complain): void {
  const isOwn = told.client === client.number;
  const cookie = client.field('set-cookie');
  if (cookie !== undefined && cookie !== `own=${client.number}`) complain('the cookie of another');
  if (isOwn) return;
  if (told.isBound) complain(`bound to ${told.client}`);
  if (/private|no-store/.test(client.field('cache-control') ?? '')) complain('private to another');
}

function seconds(control: string, name: string): number | undefined {
  const match = new RegExp(`(?:^|[ ,])${name}=(\\d+)`).exec(control);
  return match === null ? undefined : Number(match[1]) * 1000;
}

/** Age, and the phases of the design, section 1. */
function judgeTime(client: StoryClient, told: Told, rule: Rule, complain: Complain): void {
  const at = client.repliedAt;
  const bornAt = told.askedAt - told.upstreamAgeSec * 1000;
  const generatedAt = (told.headAt ?? at) - told.upstreamAgeSec * 1000;
  const age = Number(client.field('age') ?? '0');
  if (age < Math.floor((at - generatedAt) / 1000)) complain(`Age ${age} is less than the truth`);
  const outcome = client.outcome ?? '';
  const isFromStore = outcome === 'HIT' || outcome === 'UPDATING' || outcome === 'STALE';
  if (!isFromStore) return;
  if (client.status === 416) {
    if (client.field('cache-control') !== undefined) complain('a 416 of our own with a lifetime');
    return;
  }
  const control = client.field('cache-control') ?? '';
  const wish = client.fields.get('cache-control') ?? '';
  if (/no-cache|max-age=0/.test(wish) && outcome !== 'STALE') complain('not asked for one who wants the origin asked');
  if (/no-cache/.test(control)) complain('no-cache served without validation');
  const sharedMs = seconds(control, 's-maxage');
  const originMs = sharedMs ?? seconds(control, 'max-age');
  const ruleMs = rule.ttl.kind === 'fixed' ? rule.ttl.ms : undefined;
  const errorBody = client.field('x-body') === undefined;
  const ttlMs = errorBody ? originMs : (ruleMs ?? originMs);
  if (ttlMs === undefined) return;
  const staleAt = ruleMs === undefined || errorBody ? bornAt + ttlMs : (told.headAt ?? at) + ttlMs;
  if (at < staleAt) return;
  if (outcome === 'HIT') complain(`stale since ${at - staleAt} ms, served as a hit`);
  const swrMs = seconds(control, 'stale-while-revalidate');
  const graceMs = swrMs ?? (rule.grace.kind === 'fixed' ? rule.grace.ms : 0);
  if (/must-revalidate/.test(control) || (sharedMs !== undefined && swrMs === undefined))
    complain('stale use is forbidden');
  const graceUntil = staleAt + graceMs;
  const reason = client.reason ?? '';
  const maxStaleMs = seconds(wish, 'max-stale');
  if (at < graceUntil || (maxStaleMs !== undefined && at - staleAt <= maxStaleMs)) return;
  if (outcome === 'UPDATING') complain('served as in grace, past it');
  const errorMs =
    seconds(control, 'stale-if-error') ?? (rule.staleIfError.kind === 'fixed' ? rule.staleIfError.ms : undefined);
  const wishedMs = seconds(wish, 'stale-if-error') ?? 0;
  const isUnanswered = errorMs === undefined && !reason.includes('error-status');
  const allowedMs = isUnanswered ? graceMs + 3_600_000 : (errorMs ?? 0);
  if (at - staleAt >= Math.max(allowedMs, wishedMs, graceMs)) complain(`stale for ${at - staleAt} ms on error`);
}

function judgeSelection(client: StoryClient, content: Content, complain: Complain): void {
  const { page, language, cookie, owner } = content;
  if (page.vary === 'Accept-Language' && client.fields.get('accept-language') !== language)
    complain('another language');
  if (page.vary === 'Cookie' && client.fields.get('cookie') !== cookie) complain('the page of another cookie');
  const identity = page.madeFor === 'client' ? client.number : client.fields.get('authorization');
  if (owner !== '' && owner !== identity) complain(`made for ${owner}`);
}

function judgeCondition(client: StoryClient, complain: Complain): void {
  if (!client.fields.has('if-match')) complain('a condition that was never set');
}

function judgeBody(client: StoryClient, content: Content, origin: StoryOrigin, complain: Complain): void {
  const { body, page } = content;
  switch (client.status) {
    case 304: {
      const own = origin.validators(content)['ETag'];
      const tags = client.fields.get('if-none-match');
      const holds = tags === '*' || (own !== undefined && tags !== undefined && weak(tags) === weak(own));
      if (!holds) complain('not modified for one who has something else');
      return;
    }
    case 416:
      if (client.field('content-range') !== `bytes */${body.length}`) complain('another length');
      return;
    case 206:
      judgePart(client, body, complain);
      return;
    default:
      if (client.status !== page.status) complain(`not ${page.status}`);
      if (client.method === 'HEAD') {
        if (client.body !== '') complain('a body to HEAD');
        const length = client.field('content-length');
        if (length !== undefined && length !== String(body.length)) complain('another length');
      } else if (client.ending === 'finished' ? client.body !== body : !body.startsWith(client.body)) {
        complain(`not the body of content ${content.id}, ${JSON.stringify(body.slice(0, 100))}`);
      }
  }
}

function judgePart(client: StoryClient, whole: string, complain: Complain): void {
  if (!client.fields.has('range')) complain('a part for one who asked for no range');
  const type = client.field('content-type') ?? '';
  if (!type.startsWith('multipart/')) {
    judgePlace(client.field('content-range') ?? '', client.body, whole, client.ending === 'finished', complain);
    return;
  }
  if (client.ending !== 'finished') return;
  const boundary = type.slice(type.indexOf('boundary=') + 'boundary='.length);
  const parts = client.body.split(`--${boundary}`).slice(1, -1);
  if (parts.length < 2) complain('too few parts');
  for (const part of parts) {
    const [head = '', ...text] = part.slice(2, -2).split('\r\n\r\n');
    judgePlace(/Content-Range: (.*)/.exec(head)?.[1] ?? '', text.join('\r\n\r\n'), whole, true, complain);
  }
}

function judgePlace(place: string, text: string, whole: string, isOver: boolean, complain: Complain): void {
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(place);
  const [, from, last, total] = (match ?? complain('no place')).map(Number);
  const right = whole.slice(from, (last ?? 0) + 1);
  if (total !== whole.length) complain('another length');
  if (isOver ? text !== right : !right.startsWith(text))
    complain(`${JSON.stringify(text)} where ${JSON.stringify(right)} is`);
}
