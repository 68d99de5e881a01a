/**
 * What V8 is told of compiling, before the rest is read: which code is worth it. V8 counts by the bytes that a function has run, and
 * what answers a miss runs once for each; by default it takes some seconds of full load until all of that is compiled (decisions/0046).
 */
import v8 from 'node:v8';

/** Bytes that a function has to run before V8 looks at it again; by default eleven times as many. */
const INTERRUPT_BUDGET = 6_000;
/** From this version of V8 on there is a compiler in between, and by that it goes by other numbers. */
const MIDDLE_TIER_SINCE = 12;

export function tuneCompiler(v8Version = process.versions.v8): void {
  for (const flag of compilerFlags(v8Version)) v8.setFlagsFromString(flag);
}

export function compilerFlags(v8Version: string, said = saidToNode()): readonly string[] {
  const isOther = Number.parseInt(v8Version, 10) >= MIDDLE_TIER_SINCE || /interrupt[-_]budget|maglev/.test(said);
  return isOther ? [] : [`--interrupt-budget=${INTERRUPT_BUDGET}`];
}

/** Who gives a flag to node has what the flag says. */
function saidToNode(): string {
  return `${process.execArgv.join(' ')} ${process.env['NODE_OPTIONS'] ?? ''}`;
}
