/** Reads what `node --cpu-prof` writes, and sums it up: self time by function and by file. */
import { SourceMap, type SourceMapPayload } from 'node:module';

interface Node {
  readonly id: number;
  readonly callFrame: CallFrame;
}

/** Lines and columns are counted from 0. */
interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
  readonly columnNumber: number;
}

/** The file as node writes it. */
export interface CpuProfile {
  readonly nodes: readonly Node[];
  /** Ids of nodes, and the microseconds since the sample before. */
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export interface SelfTime {
  readonly name: string;
  /** Of the time in which the process was not idle. */
  readonly share: number;
  readonly ms: number;
}

export interface ProfileSummary {
  readonly busyMs: number;
  readonly idleMs: number;
  readonly functions: readonly SelfTime[];
  readonly files: readonly SelfTime[];
}

/** A path as one would say it: `lib/engine/fill.ts`, `ioredis/built/Redis.js`, `node:net`. */
function shortOf(url: string): string {
  return url.replace(/^.*\/node_modules\//, '').replace(/^.*\/dist\//, '');
}

/** The same profile told by the sources: one file of the program holds many. `mapOf` gives the source map of a file, where it has one. */
export function bySources(profile: CpuProfile, mapOf: (url: string) => SourceMapPayload | undefined): CpuProfile {
  const maps = new Map<string, SourceMap | undefined>();
  const toSource = (frame: CallFrame): CallFrame => {
    const { url, lineNumber, columnNumber } = frame;
    if (!maps.has(url)) {
      const payload = mapOf(url);
      maps.set(url, payload === undefined ? undefined : new SourceMap(payload));
    }
    const entry = maps.get(url)?.findEntry(lineNumber, columnNumber);
    if (entry === undefined || !('originalSource' in entry)) return frame;
    const source = entry.originalSource.replace(/^(?:\.\.\/)+/, '');
    return { ...frame, url: source, lineNumber: entry.originalLine, columnNumber: entry.originalColumn };
  };
  return { ...profile, nodes: profile.nodes.map((node) => ({ ...node, callFrame: toSource(node.callFrame) })) };
}

function inOrder(times: ReadonlyMap<string, number>, busyUs: number): SelfTime[] {
  return [...times].sort((a, b) => b[1] - a[1]).map(([name, us]) => ({ name, share: us / busyUs, ms: us / 1000 }));
}

/** Of the samples after `skipMs`: starting up is not what is measured. */
export function summarize({ nodes, samples, timeDeltas }: CpuProfile, skipMs: number): ProfileSummary {
  const byId = new Map(nodes.map((node) => [node.id, node.callFrame]));
  const functions = new Map<string, number>();
  const files = new Map<string, number>();
  let idleUs = 0;
  let busyUs = 0;
  let at = 0;
  const add = (times: Map<string, number>, name: string, us: number) => times.set(name, (times.get(name) ?? 0) + us);
  for (const [i, id] of samples.entries()) {
    // A sample stands for the time until the next one.
    const us = timeDeltas[i + 1] ?? 0;
    at += us;
    const frame = byId.get(id);
    if (frame === undefined || at < skipMs * 1000) continue;
    if (frame.functionName === '(idle)') {
      idleUs += us;
      continue;
    }
    busyUs += us;
    const file = shortOf(frame.url);
    const name = frame.functionName === '' ? '(anonymous)' : frame.functionName;
    add(functions, file === '' ? name : `${name} ${file}:${frame.lineNumber + 1}`, us);
    add(files, file === '' ? `${name} (native)` : file, us);
  }
  return {
    busyMs: busyUs / 1000,
    idleMs: idleUs / 1000,
    functions: inOrder(functions, busyUs),
    files: inOrder(files, busyUs),
  };
}
