/** The real origins: each counts by itself what it was asked, and can be stopped and started again on its port. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram } from '../../bench/kit/machine.js';
import { freePort, type Running, type Scope, untilOpen } from '../../bench/kit/scope.js';
import type { Resource } from './tree.js';

/** One request that the origin has answered. */
export interface Served {
  readonly method: string;
  readonly target: string;
  readonly status: number;
  /** Head and body. */
  readonly wireBytes: number;
}

export interface RealOrigin {
  readonly name: string;
  readonly port: number;
  /** What it has that is not in the tree of files. */
  readonly dynamic: readonly Resource[];
  start(): Promise<void>;
  stop(): Promise<void>;
  /** What it has answered since this was called last. */
  take(): Promise<Served[]>;
}

function nginxConf(dir: string, root: string, port: number): string {
  const types = '/etc/nginx/mime.types';
  return `
daemon off; worker_processes 1; pid ${dir}/nginx.pid; error_log ${dir}/error.log error;
${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 1024; }
http {
  ${existsSync(types) ? `include ${types};` : ''}
  client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
  log_format counted '$request_method $status $bytes_sent $request_uri';
  access_log ${dir}/access.log counted;
  sendfile on;
  server { listen 127.0.0.1:${port}; root ${root}; }
}
`;
}

/** nginx of this machine; undefined where there is none. */
export async function nginxOrigin(scope: Scope, root: string): Promise<RealOrigin | undefined> {
  const program = findProgram('nginx');
  if (program === undefined) return undefined;
  const dir = scope.folder('origin');
  const port = await freePort();
  const conf = join(dir, 'nginx.conf');
  const log = join(dir, 'access.log');
  writeFileSync(conf, nginxConf(dir, root, port));
  let running: Running | undefined;
  let read = 0;
  return {
    name: 'nginx',
    port,
    dynamic: [],
    async start() {
      const args = ['-p', dir, '-c', conf, '-e', join(dir, 'error.log')];
      running = scope.start({ name: 'nginx (origin)', command: program, args });
      await untilOpen(running, port);
    },
    async stop() {
      await running?.stop();
    },
    async take() {
      if (!existsSync(log)) return [];
      const lines = readFileSync(log, 'utf8').split('\n');
      const fresh = lines.slice(read, -1);
      read = lines.length - 1;
      return fresh.map((line) => {
        const [method = '', status, bytes, target = ''] = line.split(' ');
        return { method, target, status: Number(status), wireBytes: Number(bytes) };
      });
    },
  };
}

/** What the Express application is asked by the run. */
export type AppMessage = { readonly kind: 'take' } | { readonly kind: 'change'; readonly id: number };

const DYNAMIC_COUNT = 20;

/** The text of a dynamic page; the run knows it as well as the application. */
export function dynamicText(id: number, version: number): string {
  return JSON.stringify({ id, version, text: `page ${id} in version ${version}`.repeat(20) });
}

/** An Express application with serve-static, and pages that have an ETag and nothing else to be validated by. */
export async function expressOrigin(
  scope: Scope,
  root: string,
  digestOf: (text: string) => string,
): Promise<RealOrigin> {
  const port = await freePort();
  const module = join(dirname(fileURLToPath(import.meta.url)), 'express-app.js');
  const versions = new Array<number>(DYNAMIC_COUNT).fill(1);
  let running: Running | undefined;
  return {
    name: 'Express',
    port,
    dynamic: versions.map((_, id) => ({
      target: `/dynamic/${id}`,
      digest: async () => digestOf(dynamicText(id, versions[id] ?? 0)),
      change: async () => {
        versions[id] = (versions[id] ?? 0) + 1;
        await running?.ask<unknown>({ kind: 'change', id } satisfies AppMessage);
      },
    })),
    async start() {
      running = scope.fork('express (origin)', module, [String(port), root, versions.join(',')]);
      await untilOpen(running, port);
    },
    async stop() {
      await running?.stop();
    },
    async take() {
      return running?.isRunning ? running.ask<Served[]>({ kind: 'take' } satisfies AppMessage) : [];
    },
  };
}
