/** What the admin listener can be asked: one table of paths and methods, and the one place that looks into it. */
import { type AdminReply, makeJson, makeProblem } from './problem.js';

export interface AdminRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
}

type Run = (request: AdminRequest) => AdminReply | Promise<AdminReply>;

/** A path with what each method does there. HEAD goes by GET where it has no entry of its own (RFC 9110 §9.3.2). */
export interface Route {
  readonly path: string;
  readonly methods: Readonly<Record<string, Run>>;
}

/** Where the answers come from. */
export interface AdminSources {
  /** Facts about the living process, for the body of /healthz. */
  health(): Readonly<Record<string, unknown>>;
  /** Whether clients should be sent here now, and if not, why. */
  ready(): { readonly ready: boolean; readonly reasons: readonly string[] };
  /** The metrics in the exposition format. */
  metrics(): Promise<{ readonly contentType: string; readonly body: string }>;
}

export function makeRoutes(sources: AdminSources): readonly Route[] {
  return [
    { path: '/healthz', methods: { GET: () => makeJson(200, { status: 'alive', ...sources.health() }) } },
    {
      path: '/readyz',
      methods: {
        GET: () => {
          const { ready, reasons } = sources.ready();
          return makeJson(ready ? 200 : 503, { ready, reasons });
        },
      },
    },
    {
      path: '/metrics',
      methods: {
        GET: async () => {
          const { contentType, body } = await sources.metrics();
          return { status: 200, contentType, body };
        },
      },
    },
  ];
}

/** The methods of a route for its Allow field (RFC 9110 §10.2.1). */
function allowOf(route: Route): string {
  const methods = Object.keys(route.methods);
  if (methods.includes('GET') && !methods.includes('HEAD')) methods.splice(methods.indexOf('GET') + 1, 0, 'HEAD');
  return methods.join(', ');
}

function runOf(route: Route, method: string): Run | undefined {
  if (Object.hasOwn(route.methods, method)) return route.methods[method];
  return method === 'HEAD' && Object.hasOwn(route.methods, 'GET') ? route.methods['GET'] : undefined;
}

/** Answers a request from the table. What a source throws, this throws. */
export async function answerFrom(routes: readonly Route[], request: AdminRequest): Promise<AdminReply> {
  const route = routes.find(({ path }) => path === request.path);
  if (route === undefined) {
    const known = routes.map(({ path }) => path).join(', ');
    return makeProblem(404, `There is nothing at this path. There is: ${known}.`);
  }
  const run = runOf(route, request.method);
  if (run === undefined) {
    const allow = allowOf(route);
    // RFC 9110 §15.5.6: a 405 names the methods that are allowed.
    return makeProblem(405, `This path takes ${allow}.`, { Allow: allow });
  }
  return run(request);
}
