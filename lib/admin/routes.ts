/** What the admin listener can be asked: one table of paths and methods, and the one place that looks into it. */
import type { Access } from './access.js';
import { answerOperation, answerUpdate, type OperationSources, type OperatorRequest } from './operate.js';
import { type AdminReply, makeJson, makeProblem } from './problem.js';
import type { TokenCheck } from './token.js';

export interface AdminRequest extends OperatorRequest {
  readonly method: string;
  readonly path: string;
}

type Run = (request: AdminRequest) => AdminReply | Promise<AdminReply>;

/** What a method does at a path, and who may. */
interface Handler {
  readonly access: Access;
  readonly run: Run;
}

/** A path with what each method does there. HEAD goes by GET where it has no entry of its own (RFC 9110 §9.3.2). */
export interface Route {
  readonly path: string;
  readonly methods: Readonly<Record<string, Handler>>;
}

/** Where the answers come from. */
export interface AdminSources {
  /** Facts about the living process, for the body of /healthz. */
  health(): Readonly<Record<string, unknown>>;
  /** Whether clients should be sent here now, and if not, why. */
  ready(): { readonly ready: boolean; readonly reasons: readonly string[] };
  /** The metrics in the exposition format. */
  metrics(): Promise<{ readonly contentType: string; readonly body: string }>;
  /** The check of the token in force; undefined where none is configured. */
  token(): TokenCheck | undefined;
  /** `GET /v1/objects`: a page of what is stored, or with `url` all of one URL. */
  objects(query: URLSearchParams): AdminReply | Promise<AdminReply>;
  readonly operations: OperationSources;
  /** The configuration in force, as it was written, secrets hidden. */
  config(): Readonly<Record<string, unknown>>;
  reload(): Promise<{ readonly changed: readonly string[] } | { readonly problems: readonly string[] }>;
  /** Has the sitemaps read now. Returns how many are configured. */
  warm(): number;
  /** Begins to drain; the process ends after it. */
  drain(): void;
}

const open = (run: Run): Handler => ({ access: 'open', run });
const look = (run: Run): Handler => ({ access: 'look', run });
const change = (run: Run): Handler => ({ access: 'change', run });

export function makeRoutes(sources: AdminSources): readonly Route[] {
  const { operations } = sources;
  const operate = (operation: 'purge' | 'expire' | 'refresh'): Route => ({
    path: `/v1/${operation}`,
    methods: { POST: change((request) => answerOperation(operations, operation, request)) },
  });
  return [
    { path: '/healthz', methods: { GET: open(() => makeJson(200, { status: 'alive', ...sources.health() })) } },
    { path: '/readyz', methods: { GET: open(() => answerReady(sources)) } },
    { path: '/metrics', methods: { GET: open(() => answerMetrics(sources)) } },
    {
      path: '/v1/objects',
      methods: {
        GET: look(({ query }) => sources.objects(query)),
        PUT: change((request) => answerUpdate(operations, request)),
      },
    },
    operate('purge'),
    operate('expire'),
    operate('refresh'),
    { path: '/v1/warm', methods: { POST: change((request) => answerWarm(sources, request)) } },
    { path: '/v1/config', methods: { GET: look(() => makeJson(200, sources.config())) } },
    { path: '/v1/reload', methods: { POST: change((request) => answerReload(sources, request)) } },
    { path: '/v1/drain', methods: { POST: change((request) => answerDrain(sources, request)) } },
  ];
}

function answerReady(sources: AdminSources): AdminReply {
  const { ready, reasons } = sources.ready();
  return makeJson(ready ? 200 : 503, { ready, reasons });
}

async function answerMetrics(sources: AdminSources): Promise<AdminReply> {
  const { contentType, body } = await sources.metrics();
  return { status: 200, contentType, body };
}

async function answerReload(sources: AdminSources, { remoteAddress }: AdminRequest): Promise<AdminReply> {
  const { events } = sources.operations;
  const outcome = await sources.reload();
  const isRefused = 'problems' in outcome;
  events.operated('reload', isRefused ? 'refused' : 'done');
  events.notice('info', 'operator-reload', 'An operator asked for a reload.', { by: remoteAddress });
  if (!isRefused) return makeJson(200, { operation: 'reload', ...outcome });
  const detail = 'The configuration was refused; the one before stays in force.';
  return makeProblem(422, detail, {}, { problems: outcome.problems });
}

/** RFC 9110 §15.3.3: 202, since the work goes on. */
function answerWarm(sources: AdminSources, { remoteAddress }: AdminRequest): AdminReply {
  const { events } = sources.operations;
  const sitemaps = sources.warm();
  events.operated('warm', sitemaps === 0 ? 'nothing' : 'done');
  if (sitemaps === 0)
    return makeProblem(409, 'No sitemaps are configured (warm.sitemaps), so there is nothing to warm.');
  events.notice('info', 'operator-warm', 'An operator began a round of warming.', { by: remoteAddress });
  return makeJson(202, { operation: 'warm', sitemaps });
}

function answerDrain(sources: AdminSources, { remoteAddress }: AdminRequest): AdminReply {
  const { events } = sources.operations;
  events.operated('drain', 'done');
  events.notice('info', 'operator-drain', 'An operator ends this proxy.', { by: remoteAddress });
  sources.drain();
  return makeJson(202, { operation: 'drain' });
}

/** The methods of a route for its Allow field (RFC 9110 §10.2.1). */
function allowOf(route: Route): string {
  const methods = Object.keys(route.methods);
  if (methods.includes('GET') && !methods.includes('HEAD')) methods.splice(methods.indexOf('GET') + 1, 0, 'HEAD');
  return methods.join(', ');
}

/** The entry of the table for a request, or what to answer where there is none. */
export function handlerFor(routes: readonly Route[], method: string, path: string): Handler | AdminReply {
  const route = routes.find((one) => one.path === path);
  if (route === undefined) {
    const known = routes.map((one) => one.path).join(', ');
    return makeProblem(404, `There is nothing at this path. There is: ${known}.`);
  }
  const name = method === 'HEAD' && !Object.hasOwn(route.methods, 'HEAD') ? 'GET' : method;
  const handler = Object.hasOwn(route.methods, name) ? route.methods[name] : undefined;
  if (handler !== undefined) return handler;
  const allow = allowOf(route);
  // RFC 9110 §15.5.6: a 405 names the methods that are allowed.
  return makeProblem(405, `This path takes ${allow}.`, { Allow: allow });
}
